package body

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"docker-harden/plan"
)

// Difference is one field in which two containers differ without a reason.
type Difference struct {
	Path string `json:"path"`
	// Was and Is are the values; "(not shown)" where they may be secrets.
	Was string `json:"was"`
	Is  string `json:"is"`
}

// String says it in one line.
func (d Difference) String() string { return fmt.Sprintf("%s was %s, is %s", d.Path, d.Was, d.Is) }

// Diff lists how the configuration of after differs from before beyond what the request changes on
// purpose. A nil request means that nothing may differ. Run state, ids, and what the engine assigns
// (addresses, random MACs, its own aliases) are no configuration. api is the version both were
// inspected at.
func Diff(before, after json.RawMessage, r *Request, api string) ([]Difference, error) {
	old, err := parse(before)
	if err != nil {
		return nil, err
	}
	now, err := parse(after)
	if err != nil {
		return nil, err
	}
	d := &differ{old: old, now: now, api: api, req: r}
	if err := d.wanted(); err != nil {
		return nil, err
	}
	d.section("Config", old.Config, now.Config, d.config)
	d.section("HostConfig", old.HostConfig, now.HostConfig, d.host)
	d.process()
	d.mounts()
	d.networks()
	return d.out, nil
}

type differ struct {
	old, now *inspect
	api      string
	req      *Request
	config   object // of the create request
	host     object
	out      []Difference
}

func (d *differ) wanted() error {
	if d.req == nil {
		d.req = &Request{}
		return nil
	}
	config, err := decodeObject(d.req.Create)
	if err != nil {
		return fmt.Errorf("cannot read the create request: %w", err)
	}
	d.config, d.host = config, config.child("HostConfig")
	return nil
}

func (d *differ) report(path string, was, is json.RawMessage) {
	d.out = append(d.out, Difference{Path: path, Was: shown(path, was), Is: shown(path, is)})
}

// section compares the members of one object. Planned and transformed members must be as requested,
// all others as before.
func (d *differ) section(name string, old, now, sent object) {
	keys := slices.Sorted(slices.Values(append(sortedKeys(old), sortedKeys(now)...)))
	for _, key := range slices.Compact(keys) {
		path := name + "." + key
		want := old[key]
		switch {
		case path == "HostConfig.RestartPolicy":
			if !d.policyAllowed(now[key]) {
				d.report(path, want, now[key])
			}
			continue
		case path == "Config.Hostname" && d.isFree(path):
			if !d.hostnameAllowed() {
				d.report(path, want, now[key])
			}
			continue
		case path == "Config.Entrypoint" && d.isFree(path):
			// [""] was sent: the engine lists none, as it does for the old container.
		case path == "Config.MacAddress" && !older(d.api, "1.44"):
			continue // of the network since then, and only shown while the container runs
		case d.isFree(path):
			continue
		case d.isWanted(path):
			want = sent[key]
		}
		if !Equal(path, want, now[key]) && !(d.req.Inherits && inherits(path, want, now[key])) {
			d.report(path, want, now[key])
		}
	}
}

func (d *differ) isFree(path string) bool {
	return slices.ContainsFunc(d.req.Transforms, func(t Transform) bool { return t.Free && t.Path == path })
}

func (d *differ) isWanted(path string) bool {
	under := func(p string) bool { return p == path || strings.HasPrefix(p, path+".") }
	return slices.ContainsFunc(d.req.Transforms, func(t Transform) bool { return under(t.Path) }) ||
		slices.ContainsFunc(d.req.Changed, under)
}

// policyAllowed: the policy as it was, the planned one, or the postponed "no".
func (d *differ) policyAllowed(now json.RawMessage) bool {
	const field = "HostConfig.RestartPolicy"
	if d.req.Create == nil {
		return Equal(field, d.old.HostConfig["RestartPolicy"], now)
	}
	return Equal(field, d.req.Policy, now) || Equal(field, d.host["RestartPolicy"], now)
}

func (d *differ) hostnameAllowed() bool {
	name := d.now.Config.text("Hostname")
	// One that borrows a network has the host name of its provider, which is another container now.
	if ref, ok := strings.CutPrefix(d.now.HostConfig.text("NetworkMode"), "container:"); ok && len(ref) >= shortID && name == ref[:shortID] {
		return true
	}
	mode := d.now.HostConfig.text("NetworkMode")
	if provider, ok := strings.CutPrefix(mode, "container:"); ok && len(provider) > shortID && name == provider[:shortID] {
		return true // it is the provider's, which may be another one than before
	}
	return name == d.now.short() || name == d.old.Config.text("Hostname") ||
		mode == "host" || d.now.HostConfig.text("UTSMode") == "host"
}

// process compares what will really be executed, which is how a lost entrypoint shows.
func (d *differ) process() {
	for _, f := range []struct{ path, was, is string }{
		{"Image", d.old.Image, d.now.Image}, {"Driver", d.old.Driver, d.now.Driver}, {"Platform", d.old.Platform, d.now.Platform},
	} {
		if f.was != f.is {
			d.out = append(d.out, Difference{f.path, f.was, f.is})
		}
	}
	changed := d.isWanted("Config.Cmd") || slices.Contains(d.req.Changed, "Config.Entrypoint")
	if !changed && (d.old.Path != d.now.Path || !slices.Equal(d.old.Args, d.now.Args)) {
		d.out = append(d.out, Difference{"Path, Args", "the old command line", "another command line"})
	}
}

// mounts compares by destination. A planned change of a bind or mount may change only its own mount.
func (d *differ) mounts() {
	for _, target := range d.targets() {
		was, is := d.old.mountAt(target), d.now.mountAt(target)
		if reflect.DeepEqual(d.mountWanted(was, is, target), is) || d.mountPlanned(target) {
			continue
		}
		d.out = append(d.out, Difference{"Mounts[" + target + "]", describe(was), describe(is)})
	}
}

func (d *differ) targets() []string {
	var all []string
	for _, m := range slices.Concat(d.old.Mounts, d.now.Mounts) {
		all = append(all, m.Destination)
	}
	for _, s := range d.req.Secrets {
		all = append(all, plan.SecretFile(s.Variable))
	}
	for _, v := range d.req.Volumes {
		all = append(all, v.Target)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func describe(m *mount) string {
	if m == nil {
		return "absent"
	}
	return fmt.Sprintf("%s %s%s rw=%t %s", m.Type, m.Name, m.Source, m.RW, m.Propagation)
}

func (d *differ) mountPlanned(target string) bool {
	was := bindSpec(d.old.HostConfig, target)
	// A mount that was there without being asked for is attached by name now: it may not change.
	asked := was != "" || d.old.mountAt(target) == nil
	if asked && slices.Contains(d.req.Changed, "HostConfig.Binds") && was != bindSpec(d.host, target) {
		return true
	}
	if !slices.Contains(d.req.Changed, "HostConfig.Mounts") {
		return false
	}
	return !reflect.DeepEqual(mountSpec(d.old.HostConfig, target), mountSpec(d.host, target))
}

func bindSpec(host object, target string) string {
	for _, spec := range host.strings("Binds") {
		if _, t, _ := splitBind(spec); t == target {
			return spec
		}
	}
	return ""
}

func mountSpec(host object, target string) any {
	for _, m := range host.objects("Mounts") {
		if m.text("Target") == target {
			return generic(encode(m))
		}
	}
	return nil
}

// networks compares which networks are joined, and of each what a person configured.
func (d *differ) networks() {
	if slices.Contains(d.req.Changed, plan.NetworksPath) {
		d.moved()
		return
	}
	if slices.Contains(d.req.Changed, "HostConfig.NetworkMode") {
		return // the request's own networks were accepted or the create failed; addresses are new
	}
	old, now := d.old.NetworkSettings.Networks, d.now.NetworkSettings.Networks
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(old), sortedKeys(now)...)))) {
		was, hadIt := d.lookup(old, name, now)
		is, hasIt := d.lookup(now, name, old)
		path := "NetworkSettings.Networks." + name
		if hadIt != hasIt {
			d.out = append(d.out, Difference{path, joined(hadIt), joined(hasIt)})
			continue
		}
		d.endpoint(path, was, is)
		asked := d.config.child("NetworkingConfig").child("EndpointsConfig").child(name).text("MacAddress")
		if got := is.text("MacAddress"); asked != "" && got != "" && !strings.EqualFold(got, asked) { // none while it does not run
			d.out = append(d.out, Difference{path + ".MacAddress", asked, got})
		}
	}
}

// moved compares which networks are joined with those of the request, which leaves one and may join one. Addresses
// are new.
func (d *differ) moved() {
	want := sortedKeys(d.config.child("NetworkingConfig").child("EndpointsConfig"))
	for _, end := range d.req.Connect {
		want = append(want, end.Network)
	}
	slices.Sort(want)
	if is := sortedKeys(d.now.NetworkSettings.Networks); !slices.Equal(want, is) {
		d.report(plan.NetworksPath, encode(want), encode(is))
	}
}

// lookup finds an endpoint by name; one container may list a network by id and the other by name.
func (d *differ) lookup(in map[string]object, name string, other map[string]object) (object, bool) {
	if end, ok := in[name]; ok {
		return end, true
	}
	for key, end := range in {
		id := end.text("NetworkID")
		if key == other[name].text("NetworkID") && key != "" || id == name && id != "" {
			return end, true
		}
	}
	return nil, false
}

func joined(yes bool) string {
	if yes {
		return "connected"
	}
	return "not connected"
}

func (d *differ) endpoint(path string, was, is object) {
	for _, key := range []string{"IPAMConfig", "Links", "DriverOpts", "GwPriority"} {
		field := path + "." + key
		if !d.isFree(field) && !Equal(field, zeroAsNull(was[key]), zeroAsNull(is[key])) {
			d.report(field, was[key], is[key])
		}
	}
	a, b := d.old.aliases(was, d.api), d.now.aliases(is, d.api)
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		d.report(path+".Aliases", encode(a), encode(b))
	}
}

func zeroAsNull(raw json.RawMessage) json.RawMessage {
	if isZero(raw) {
		return nil
	}
	return raw
}
