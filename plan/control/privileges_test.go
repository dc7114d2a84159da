package control

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func TestParseNoNewPrivs(t *testing.T) {
	for name, c := range map[string]struct {
		opts []string
		want NoNewPrivs
	}{
		"unset":        {nil, NoNewPrivs{Others: []string{}}},
		"bare":         {[]string{"no-new-privileges"}, NoNewPrivs{On: true, Others: []string{}}},
		"colon":        {[]string{"no-new-privileges:true"}, NoNewPrivs{On: true, Others: []string{}}},
		"equals":       {[]string{"no-new-privileges=1"}, NoNewPrivs{On: true, Others: []string{}}},
		"off":          {[]string{"no-new-privileges:false"}, NoNewPrivs{Off: true, Others: []string{}}},
		"last wins":    {[]string{"no-new-privileges", "label=disable", "no-new-privileges=false"}, NoNewPrivs{Off: true, Others: []string{"label=disable"}}},
		"last wins on": {[]string{"no-new-privileges:false", "no-new-privileges"}, NoNewPrivs{On: true, Others: []string{}}},
		"no value":     {[]string{"no-new-privileges:maybe"}, NoNewPrivs{Others: []string{}}},
		"others":       {[]string{"seccomp=no-new-privileges", "label=type:x"}, NoNewPrivs{Others: []string{"seccomp=no-new-privileges", "label=type:x"}}},
	} {
		if diff := cmp.Diff(c.want, ParseNoNewPrivs(c.opts)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

const optedOut = `["no-new-privileges:false"]`

var (
	turnOn    = plan.Change{Path: "no-new-privileges", To: []byte("true"), Kind: plan.KindRestart}
	noGain    = plan.Change{Path: "HostConfig.SecurityOpt", To: []byte(`["no-new-privileges:true"]`), Kind: plan.KindRecreate}
	unseccomp = plan.Change{Path: "HostConfig.SecurityOpt", From: []byte(`["seccomp=unconfined"]`), To: []byte("[]"), Kind: plan.KindRecreate}
)

// isOn is a host whose engine gives the option to new containers now.
func isOn(h *inventory.Host) {
	h.Daemon.Keys = map[string]json.RawMessage{"no-new-privileges": []byte("true")}
}

func process(nnp bool) *inventory.Proc {
	p := inventory.Process{NoNewPrivs: nnp}
	return &inventory.Proc{Init: p, All: []inventory.Process{p}}
}

func TestKeepPrivileges(t *testing.T) {
	open := func(_ *inventory.Host, c *inventory.Container) { c.Proc = process(false) }
	opts := func(opts ...string) edit {
		return func(_ *inventory.Host, c *inventory.Container) {
			c.Proc, c.Inspect.HostConfig.SecurityOpt = process(false), opts
		}
	}
	on := func(e edit) edit {
		return func(h *inventory.Host, c *inventory.Container) {
			isOn(h)
			e(h, c)
		}
	}
	engine, caps, gain, filter := wantsOfEngine("engine", turnOn), wants("caps", recreate), wants("nnp", noGain), wants("seccomp", unseccomp)
	for name, c := range map[string]struct {
		edit     edit
		controls []Control
		want     string // SecurityOpt in the findings, by control
	}{
		"default off":               {open, []Control{caps}, ""},
		"turned on":                 {open, []Control{engine, caps}, "caps " + optedOut},
		"is on":                     {on(open), []Control{caps}, "caps " + optedOut},
		"two recreates":             {on(open), []Control{caps, wants("rootfs", recreate)}, "caps " + optedOut + " rootfs " + optedOut},
		"only a live update":        {on(open), []Control{wants("memory", live)}, ""},
		"gets the option":           {on(open), []Control{caps, gain}, `nnp ["no-new-privileges:true"]`},
		"turned on for it":          {open, []Control{engine, gain, caps}, `nnp ["no-new-privileges:true"]`},
		"with another option":       {on(opts("label=disable", "seccomp={\"a\":\"<&>\"}")), []Control{caps}, `caps ["label=disable","seccomp={\"a\":\"<&>\"}","no-new-privileges:false"]`},
		"with a change of its own":  {on(opts("seccomp=unconfined")), []Control{caps, filter}, `caps ["seccomp=unconfined","no-new-privileges:false"] seccomp ["no-new-privileges:false"]`},
		"opted out":                 {on(opts("no-new-privileges=0")), []Control{caps}, ""},
		"opted in":                  {on(opts("no-new-privileges")), []Control{caps}, ""},
		"has it from the default":   {on(func(_ *inventory.Host, c *inventory.Container) { c.Proc = process(true) }), []Control{caps}, ""},
		"created":                   {func(_ *inventory.Host, c *inventory.Container) { stopped(c, "created") }, []Control{engine, caps}, "caps " + optedOut},
		"created under the default": {on(func(_ *inventory.Host, c *inventory.Container) { stopped(c, "created") }), []Control{caps}, ""},
		"processes not read":        {func(*inventory.Host, *inventory.Container) {}, []Control{engine, caps}, "caps " + optedOut},
		"engine blocked": {func(h *inventory.Host, c *inventory.Container) {
			h.Daemon.Manager, c.Proc = "unknown", process(false)
		}, []Control{engine, caps}, ""},
		"recreate blocked": {on(func(h *inventory.Host, c *inventory.Container) {
			open(h, c)
			c.Inspect.HostConfig.AutoRemove = true
		}), []Control{caps}, ""},
		"by flag": {func(h *inventory.Host, c *inventory.Container) {
			h.Daemon.Flags = map[string][]string{"no-new-privileges": {"true"}}
			open(h, c)
		}, []Control{caps}, "caps " + optedOut},
		"by the engine's word": {func(h *inventory.Host, c *inventory.Container) {
			h.Engine.SecurityOptions = []string{"name=seccomp", "name=no-new-privileges"}
			open(h, c)
		}, []Control{caps}, "caps " + optedOut},
		"off by flag and key": {func(h *inventory.Host, c *inventory.Container) {
			h.Daemon.Flags = map[string][]string{"no-new-privileges": {"true", "false"}}
			h.Daemon.Keys = map[string]json.RawMessage{"no-new-privileges": []byte("false")}
			open(h, c)
		}, []Control{caps}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostOf(container("web"))
			c.edit(h, &h.Containers[0])
			var got []string
			for _, f := range Evaluate(h, profileOf(c.controls...), c.controls, today) {
				for _, change := range f.Changes {
					if change.Path == securityOptPath {
						got = append(got, f.Control, string(change.To))
					}
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
			if string(noGain.To) != `["no-new-privileges:true"]` || string(unseccomp.To) != "[]" {
				t.Fatal("a control's own changes were changed")
			}
		})
	}
}

// TestKeepPrivilegesOfTheExcepted is the case it is there for: what the profile lets a container keep.
func TestKeepPrivilegesOfTheExcepted(t *testing.T) {
	caps, gain := wants("caps", recreate), wants("nnp", noGain)
	h := hostOf(container("web"), container("db"))
	isOn(h)
	for i := range h.Containers {
		h.Containers[i].Proc = process(false)
	}
	p := profileOf(caps, gain)
	p.Exceptions = []profile.Exception{exceptionFor("nnp", "container/web")}
	findings := Evaluate(h, p, []Control{caps, gain}, today)
	built, err := plan.Build(plan.Input{Findings: findings, Basis: func(plan.Resource) (plan.Basis, bool) { return plan.Basis{}, true }, Made: today})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]plan.Change{}
	for _, step := range built.Steps {
		i := slices.IndexFunc(step.Changes, func(c plan.Change) bool { return c.Path == securityOptPath })
		if i < 0 || len(step.Changes) != 2 {
			t.Fatalf("%s changes %v", step.ID, step.Changes)
		}
		got[step.Resource.Name] = step.Changes[i]
	}
	want := map[string]plan.Change{
		"web": {Path: securityOptPath, From: []byte("null"), To: []byte(optedOut), Kind: plan.KindRecreate, Reversibility: plan.Exact, Controls: []string{"caps"}, Note: "keeps it as it is: the engine's default would reach the new container"},
		"db":  {Path: securityOptPath, From: []byte("null"), To: noGain.To, Kind: plan.KindRecreate, Reversibility: plan.Exact, Controls: []string{"nnp"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestOptOutsMerge builds the step of a container whose findings all opt out, one of them while it
// changes the same list itself.
func TestOptOutsMerge(t *testing.T) {
	controls := []Control{wants("caps", recreate), wants("seccomp", unseccomp), wants("rootfs", plan.Change{Path: "HostConfig.ReadonlyRootfs", From: []byte("false"), To: []byte("true"), Kind: plan.KindRecreate})}
	h := hostOf(container("web"))
	isOn(h)
	h.Containers[0].Proc, h.Containers[0].Inspect.HostConfig.SecurityOpt = process(false), []string{"seccomp=unconfined"}
	basis := func(plan.Resource) (plan.Basis, bool) { return plan.Basis{}, true }
	built, err := plan.Build(plan.Input{Findings: Evaluate(h, profileOf(controls...), controls, today), Basis: basis, Made: today})
	if err != nil || len(built.Steps) != 1 {
		t.Fatalf("%v %v", built, err)
	}
	for _, c := range built.Steps[0].Changes {
		if c.Path == securityOptPath && (string(c.To) != optedOut || len(c.Controls) != len(controls) || c.Note == "") {
			t.Errorf("%+v", c)
		}
	}
}
