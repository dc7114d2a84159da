package docker

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// What looks compliant and is not, and what looks harmless to change and is not.
func TestNotTakenForCompliant(t *testing.T) {
	web := func(change func(*inventory.Container)) *inventory.Container {
		c := ordinaryContainer("web")
		c.Proc.All = []inventory.Process{c.Proc.Init}
		change(&c)
		return &c
	}
	const allow, forbid = `{"defaultAction":"SCMP_ACT_ALLOW"}`, `{"defaultAction":"SCMP_ACT_ERRNO"}`
	filtered := func(opt string) *inventory.Container {
		return web(func(c *inventory.Container) {
			c.Inspect.HostConfig.SecurityOpt = []string{opt}
			for i := range c.Proc.All {
				c.Proc.All[i].Seccomp = 2
			}
		})
	}
	netRaw := capMask([]string{"NET_RAW"})
	holding := func(uid int, name string, eff uint64) *inventory.Container {
		return web(func(c *inventory.Container) {
			c.Inspect.Config.User = "nobody"
			c.Proc.All = append(c.Proc.All, inventory.Process{PID: 99, Name: name, UID: uid, CapEff: eff, CapPrm: eff, CapBnd: capMask(defaultCaps)})
		})
	}
	memory := func(limit int64, params string) (*inventory.Container, string) {
		return web(func(c *inventory.Container) {
			c.Inspect.HostConfig.Memory, c.Proc.MemoryLimit = limit, &limit
		}), params
	}
	large, _ := memory(1<<50, "")
	for name, tt := range map[string]struct {
		c       *inventory.Container
		control string
		params  string
		status  plan.Status
		says    string // message or question
	}{
		"NET_RAW of a program that is not root":  {holding(65534, "exporter", netRaw), "docker/capabilities", "", plan.Manual, "It was given NET_RAW although exporter"},
		"kept by the profile":                    {holding(65534, "exporter", netRaw), "docker/capabilities", "keep: [NET_RAW]", plan.Fail, ""},
		"root has it anyway":                     {holding(0, "exporter", netRaw), "docker/capabilities", "", plan.Fail, ""},
		"the runtime on its way":                 {holding(65534, "runc:[2:INIT]", netRaw), "docker/capabilities", "", plan.Fail, ""},
		"a filter that lets everything through":  {filtered("seccomp=" + allow), "docker/seccomp", "", plan.Manual, "lets every system call through"},
		"a filter that forbids":                  {filtered("seccomp=" + forbid), "docker/seccomp", "", plan.Pass, ""},
		"as old engines wrote it":                {filtered("seccomp:" + allow), "docker/seccomp", "", plan.Manual, "lets every system call through"},
		"a rule for devices":                     {web(func(c *inventory.Container) { c.Inspect.HostConfig.DeviceCgroupRules = []string{"b *:* rmw"} }), "docker/devices", "", plan.Manual, "whatever rule b *:* rmw opens"},
		"privileged without a device":            {web(func(c *inventory.Container) { c.Inspect.HostConfig.Privileged = true }), "docker/devices", "", plan.NotApplicable, "every device"},
		"a limit above the host's memory":        {large, "docker/memory-limit", "", plan.Manual, "not below the host's memory"},
		"the same, and the profile has a number": {large, "docker/memory-limit", "limit: 1g", plan.Fail, "not below the host's memory"},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, tt.c, tt.control, tt.params)
			if f.Status != tt.status || !strings.Contains(f.Message+" "+f.Question, tt.says) {
				t.Errorf("%s: %s\n%s", f.Status, f.Message, f.Question)
			}
			if _, shown, ok := strings.Cut(f.Question, answerMark); f.Status == plan.Manual && strings.HasPrefix(shown, "containers:") {
				load(t, []byte("controls: {"+tt.control+": {}}\n"+shown+"\n")) // what it says is a profile
			} else if f.Status == plan.Manual && !ok {
				t.Errorf("it shows no answer: %s", f.Question)
			}
			if f.Status == plan.Manual && len(f.Changes) > 0 {
				t.Errorf("it is changed: %v", f.Changes)
			}
		})
	}
}

// A port that systemd opens for the engine is as open as one of its own.
func TestPortOfTheSocketUnit(t *testing.T) {
	h := ordinaryHost()
	h.Taken = now
	h.Daemon.Flags = map[string][]string{"hosts": {"fd://"}}
	params := load(t, []byte("controls: {docker/tls-on-tcp: {}}\n")).Controls["docker/tls-on-tcp"].Params
	if f := judgeTLS(h, params)[0]; f.Status != plan.Pass {
		t.Errorf("a socket only: %+v", f)
	}
	h.Daemon.Passed = []string{"0.0.0.0:2375"}
	if f := judgeTLS(h, params)[0]; f.Status != plan.Fail || !strings.Contains(f.Message, "systemd opens 0.0.0.0:2375") || !strings.Contains(f.Blocked, "ListenStream=0.0.0.0:2375") {
		t.Errorf("everybody is let in: %+v", f)
	}
	h.Daemon.Keys = map[string]json.RawMessage{"tlsverify": raw(true)}
	if f := judgeTLS(h, params)[0]; f.Status == plan.Pass && !strings.Contains(f.Message, "clients on 0.0.0.0:2375 need a certificate") {
		t.Errorf("with certificates: %+v", f)
	}
}

// What is swapped out comes back when it is touched.
func TestMemoryThatIsSwappedOut(t *testing.T) {
	c := ordinaryContainer("web")
	c.Usage = &inventory.Usage{Samples: 20, WorkingSet: 100 * mib, Unreclaimable: 90 * mib, Swap: gib}
	in := newMemoryInput(ordinaryHost(), &c)
	if in.WorkingSet != gib+100*mib || in.Unreclaimable != gib+90*mib {
		t.Errorf("%+v", in)
	}
}
