package control

import (
	"encoding/json"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func TestFallen(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later, earlier := since.Add(time.Second).Format(time.RFC3339Nano), since.Add(-time.Second).Format(time.RFC3339Nano)
	for name, tt := range map[string]struct {
		state string
		want  string
	}{
		"runs":               {`{"Status":"running","Running":true,"FinishedAt":"0001-01-01T00:00:00Z"}`, ""},
		"failed":             {`{"Status":"exited","ExitCode":1,"FinishedAt":"` + later + `"}`, "it exited with code 1 after it was changed; see docker logs web"},
		"did its work":       {`{"Status":"exited","ExitCode":0,"FinishedAt":"` + later + `"}`, ""},
		"had failed before":  {`{"Status":"exited","ExitCode":1,"FinishedAt":"` + earlier + `"}`, ""},
		"never ran":          {`{"Status":"created","FinishedAt":"0001-01-01T00:00:00Z"}`, ""},
		"too little memory":  {`{"Status":"exited","ExitCode":137,"OOMKilled":true,"FinishedAt":"` + later + `"}`, "it was killed for its memory limit after it was changed; see docker logs web"},
		"loops":              {`{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":2,"FinishedAt":"` + later + `"}`, "it is in a restart loop since it was changed (last with code 2); see docker logs web"},
		"came back":          {`{"Status":"running","Running":true,"ExitCode":0,"FinishedAt":"` + later + `"}`, ""},
		"an unreadable time": {`{"Status":"exited","ExitCode":1,"FinishedAt":"soon"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := container("web")
			c.Raw = json.RawMessage(`{"State":` + tt.state + `}`)
			c.Inspect = inventory.Inspect{}
			if err := json.Unmarshal(c.Raw, &c.Inspect); err != nil {
				t.Fatal(err)
			}
			step := plan.Step{ID: "container/web", Kind: plan.KindRecreate, Resource: plan.Container("web", "the id of the old one")}
			got := ""
			for _, f := range Fallen(hostOf(c), []plan.Step{{Kind: plan.KindRestart, Resource: plan.Daemon()}, step}, since) {
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
	if got := Fallen(&inventory.Host{}, []plan.Step{{Resource: plan.Container("gone", "x")}}, since); len(got) != 0 {
		t.Errorf("of no container: %+v", got)
	}
}
