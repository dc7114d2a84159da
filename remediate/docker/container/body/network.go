package body

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"docker-harden/plan"
)

// bridge is the engine's default network, which takes neither aliases nor fixed addresses.
const bridge = "bridge"

// networkMode names the network by name: the engine accepts an id there, but lists it by name.
func (b *builder) networkMode() {
	mode := b.host.text("NetworkMode")
	if name, ok := b.src.Networks[mode]; ok && name != mode {
		b.host.set("NetworkMode", name)
		b.transform("HostConfig.NetworkMode", "the network is named by its name")
		mode = name
	}
	if !borrowed(mode) {
		return
	}
	// The engine refuses these beside a borrowed network, even where it filled them in itself.
	for _, key := range []string{"PortBindings", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "Links"} {
		delete(b.host, key)
	}
	b.host.set("PublishAllPorts", false)
	for _, key := range []string{"ExposedPorts", "MacAddress"} {
		if !isNull(b.config[key]) {
			delete(b.config, key)
			b.free("Config."+key, "it belongs to the container whose network is used")
		}
	}
}

// identity lets the engine choose the host name where it chose it before.
func (b *builder) identity() {
	name, mode := b.config.text("Hostname"), b.host.text("NetworkMode")
	onHost := mode == "host" || b.old.HostConfig.text("NetworkMode") == "host"
	switch {
	case borrowed(mode):
		b.config.set("Domainname", "")
		b.free("Config.Domainname", "it belongs to the container whose network is used")
	case name == b.old.short(), b.host.text("UTSMode") == "host", b.old.HostConfig.text("UTSMode") == "host" && name == b.src.HostName,
		onHost && name == b.src.HostName:
	default:
		return
	}
	b.config.set("Hostname", "")
	b.free("Config.Hostname", "the engine chose it")
}

// endpoints carries the networks with what a person configured, and none of what the engine assigned.
func (b *builder) endpoints() {
	mode := b.host.text("NetworkMode")
	if mode == "host" || mode == "none" || borrowed(mode) {
		delete(b.config, "MacAddress")
		return
	}
	b.main = mainNetwork(mode)
	if was := mainNetwork(b.old.HostConfig.text("NetworkMode")); b.changed("HostConfig.NetworkMode") {
		b.left = b.networkName(was, "")
	}
	b.ends = make(map[string]object)
	for key, end := range b.old.NetworkSettings.Networks {
		name := b.networkName(key, end.text("NetworkID"))
		if name == b.left || name == "host" || name == "none" {
			continue
		}
		b.ends[name] = b.endpoint(name, end)
	}
	if _, ok := b.ends[b.main]; !ok && b.changed("HostConfig.NetworkMode") {
		b.ends[b.main] = object{}
	}
	if _, ok := b.ends[b.joined]; !ok && b.joined != "" {
		b.ends[b.joined] = object{}
	}
	b.sysctls()
	b.split()
}

// changeNetworks makes the container on another network than the default bridge. What was connected to that first
// names the other one as its own then: a person reads there where it belongs.
func (b *builder) changeNetworks(c plan.Change) error {
	var from, to, have []string
	if json.Unmarshal(c.From, &from) != nil || json.Unmarshal(c.To, &to) != nil {
		return fmt.Errorf("internal error: %s is no list of networks", c.Path)
	}
	for key, end := range b.old.NetworkSettings.Networks {
		have = append(have, b.networkName(key, end.text("NetworkID")))
	}
	if slices.Sort(have); !slices.Equal(have, from) {
		return fmt.Errorf("%w: %s is %s, the plan expected %s", ErrStale, c.Path, encode(have), c.From)
	}
	rest := slices.DeleteFunc(slices.Clone(from), func(name string) bool { return name == bridge })
	more := slices.DeleteFunc(slices.Clone(to), func(name string) bool { return slices.Contains(from, name) })
	kept := slices.DeleteFunc(slices.Clone(to), func(name string) bool { return !slices.Contains(from, name) })
	none := slices.ContainsFunc(to, func(name string) bool {
		return slices.Contains([]string{bridge, "default", "host", "none"}, name) || borrowed(name)
	})
	if none || len(rest) == len(from) || len(to) == 0 || len(more) > 1 || !slices.Equal(kept, rest) {
		return fmt.Errorf("internal error: cannot make a container on networks %s in place of %s", c.To, c.From)
	}
	b.left = bridge
	if b.joined = to[0]; len(more) == 1 {
		b.joined = more[0]
	}
	if mainNetwork(b.host.text("NetworkMode")) == bridge {
		b.host.set("NetworkMode", b.joined)
		b.transform("HostConfig.NetworkMode", "it is made on the network that it moves to")
	}
	return nil
}

func mainNetwork(mode string) string {
	if mode == "" || mode == "default" {
		return bridge
	}
	return mode
}

func (b *builder) networkName(key, id string) string {
	if name, ok := b.src.Networks[id]; ok {
		return name
	}
	if name, ok := b.src.Networks[key]; ok {
		return name
	}
	return key
}

func (b *builder) endpoint(name string, old object) object {
	end := object{}
	keys := []string{"IPAMConfig", "Links", "DriverOpts", "GwPriority"}
	if name == bridge {
		keys = []string{"DriverOpts", "GwPriority"}
	}
	for _, key := range keys {
		if !isNull(old[key]) {
			end[key] = old[key]
		}
	}
	if aliases := b.old.aliases(old, b.src.API); len(aliases) > 0 && name != bridge {
		end.set("Aliases", aliases)
	}
	if mac := b.src.MACs[name]; mac != "" && !older(b.src.API, "1.44") {
		end.set("MacAddress", mac)
	}
	return end
}

// aliases are the names a person gave. Before API 1.45 the engine lists its own among them.
func (c *inspect) aliases(end object, api string) []string {
	own := []string{c.short()}
	if hostname := c.Config.text("Hostname"); older(api, "1.45") && hostname != strings.TrimPrefix(c.Name, "/") {
		own = append(own, hostname)
	}
	return slices.DeleteFunc(end.strings("Aliases"), func(a string) bool { return slices.Contains(own, a) })
}

var interfaceSysctl = regexp.MustCompile(`^(net\.[a-z0-9]+\.[a-z]+\.)eth0(\..+)$`)

// sysctls moves settings of the first interface to its endpoint, where API 1.48 and later want them.
func (b *builder) sysctls() {
	end, ok := b.ends[b.main]
	if older(b.src.API, "1.48") || !ok {
		return
	}
	const option = "com.docker.network.endpoint.sysctls"
	all := b.host.child("Sysctls")
	var moved []string
	for _, key := range sortedKeys(all) {
		if m := interfaceSysctl.FindStringSubmatch(key); m != nil {
			moved = append(moved, m[1]+"IFNAME"+m[2]+"="+all.text(key))
			delete(all, key)
		}
	}
	if len(moved) == 0 {
		return
	}
	opts := end.child("DriverOpts")
	if have := opts.text(option); have != "" {
		moved = append([]string{have}, moved...)
	}
	opts.set(option, strings.Join(moved, ","))
	end.set("DriverOpts", opts)
	b.host.set("Sysctls", all)
	b.transform("HostConfig.Sysctls", "settings of eth0 belong to its network since API 1.48")
	b.free("NetworkSettings.Networks."+b.main+".DriverOpts", "settings of eth0 belong to its network since API 1.48")
}

// split decides which networks go into the create request: all of them from API 1.44 on, one before.
func (b *builder) split() {
	atCreate := maps.Clone(b.ends)
	if older(b.src.API, "1.44") && len(b.ends) > 0 {
		first := b.main
		if _, ok := b.ends[first]; !ok {
			first = sortedKeys(b.ends)[0]
		}
		atCreate = map[string]object{first: b.ends[first]}
		for _, name := range sortedKeys(b.ends) {
			if name != first {
				b.req.Connect = append(b.req.Connect, Endpoint{Network: name, Config: encode(b.ends[name])})
			}
		}
	}
	if !older(b.src.API, "1.44") {
		delete(b.config, "MacAddress")
	}
	if end, ok := atCreate[bridge]; ok && len(end) == 0 && len(atCreate) == 1 {
		return // the engine's own default
	}
	if len(atCreate) > 0 {
		b.config["NetworkingConfig"] = encode(map[string]any{"EndpointsConfig": atCreate})
	}
}
