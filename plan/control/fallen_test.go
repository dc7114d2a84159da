package control

import (
	"encoding/json"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func TestFallen(t *testing.T) {
	const runs = `{"State":{"Status":"running","Running":true}}`
	see := func(raw string) *inventory.Host {
		c := container("web")
		c.Raw, c.Inspect = json.RawMessage(raw), inventory.Inspect{}
		if err := json.Unmarshal(c.Raw, &c.Inspect); err != nil {
			t.Fatal(err)
		}
		return hostOf(c)
	}
	const logs = "; see docker logs web"
	for name, tt := range map[string]struct{ before, now, want string }{
		"runs":                  {runs, runs, ""},
		"failed":                {runs, `{"State":{"Status":"exited","ExitCode":1}}`, "it exited with code 1 after it was changed" + logs},
		"did its work":          {runs, `{"State":{"Status":"exited","ExitCode":0}}`, ""},
		"had failed before":     {`{"State":{"Status":"exited","ExitCode":1}}`, `{"State":{"Status":"exited","ExitCode":1}}`, ""},
		"never ran":             {`{"State":{"Status":"created"}}`, `{"State":{"Status":"created"}}`, ""},
		"too little memory":     {runs, `{"State":{"Status":"exited","ExitCode":137,"OOMKilled":true}}`, "it was killed for its memory limit after it was changed" + logs},
		"loops":                 {runs, `{"RestartCount":3,"State":{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":2}}`, "it is in a restart loop since it was changed (last with code 2)" + logs},
		"loops, up at the time": {runs, `{"RestartCount":3,"State":{"Status":"running","Running":true}}`, "its restart policy has started it again 3 times since it was changed" + logs},
		"looped before":         {`{"RestartCount":8,"State":{"Status":"restarting","Running":true,"Restarting":true}}`, `{"RestartCount":9,"State":{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":2}}`, ""},
		"looped before, was up": {`{"RestartCount":8,"State":{"Status":"running","Running":true}}`, `{"RestartCount":9,"State":{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":2}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			step := plan.Step{ID: "container/web", Kind: plan.KindRecreate, Resource: plan.Container("web", "the id of the old one")}
			got := ""
			steps := []plan.Step{{Kind: plan.KindRestart, Resource: plan.Daemon()}, step}
			for _, f := range Fallen(Ran(see(tt.before), steps), see(tt.now), steps) {
				got = f.Message
				if f.Control != StillRunning || f.Status != plan.Fail || f.Resource.Name != "web" {
					t.Errorf("%+v", f)
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	gone := []plan.Step{{Resource: plan.Container("gone", "x")}}
	if got := Ran(&inventory.Host{}, gone); len(got) != 0 {
		t.Errorf("of no container: %+v", got)
	}
	if got := Fallen([]plan.Ran{{Name: "gone"}}, &inventory.Host{}, gone); len(got) != 0 {
		t.Errorf("of one that is gone: %+v", got)
	}
}
