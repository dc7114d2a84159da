package casetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate/docker/container"
)

// checking is a profile that gives a container a check.
func checking(test string) string {
	return fmt.Sprintf(`format: docker-harden/profile/v1
name: checks
controls:
  docker/healthcheck: {params: {test: %q, interval: 1s, timeout: 5s, retries: 2}}
`, test)
}

func checkChange(from, to string) plan.Change {
	return plan.Change{Path: plan.HealthcheckPath, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// checked is a container that gets a check, which the profile names.
func checked(c scene, from, to string) scene {
	const ready = "test -e /run/ready && echo ready"
	c.args = append(c.args, "--tmpfs", "/run")
	c.cmd = []string{"sh", "-c", "touch /run/ready; " + asleep}
	c.changes = []plan.Change{checkChange(from, to)}
	c.ready = func(s *stage) {
		s.want("{{.State.Health}}", "<nil>")
		list := about(findings(s.T, s.h, checking(ready)), s.name)
		if len(list) != 1 || len(list[0].Changes) != 1 || string(list[0].Changes[0].From) != from || string(list[0].Changes[0].To) != to {
			s.Errorf("a plan with the answer: %+v", list)
		}
	}
	c.after = func(s *stage) {
		s.want("{{.State.Health.Status}} {{(index .State.Health.Log 0).Output}}", "healthy ready")
		if left := about(findings(s.T, s.h, checking(ready)), s.name); len(left) > 0 {
			s.Errorf("a plan again would change %+v", left)
		}
	}
	c.back = func(s *stage) { s.want("{{.State.Health}}", "<nil>") }
	return c
}

// What nothing checks gets a check: also where the image has one that was turned off, and of which the engine would
// take what is left open.
func TestChecks(t *testing.T) {
	const test = `{"Test":["CMD-SHELL","test -e /run/ready && echo ready"],"Interval":1000000000,"Timeout":5000000000,%s"Retries":2}`
	play(t, []scene{
		checked(scene{
			Row:  row.Row{ID: "52", Case: "a health check, as answered, where there was none", Apply: "healthy, by the engine's own answer; nothing left to change", Rollback: "no check; equal inspect answer"},
			name: "unchecked",
		}, "null", fmt.Sprintf(test, "")),
		checked(scene{
			Row:  row.Row{ID: "52", Case: "a health check, as answered, where that of the image is turned off", Apply: "the check of the answer, healthy", Rollback: "turned off as before; equal inspect answer"},
			name: "turnedoff", image: "unwell:1", args: []string{"--no-healthcheck"},
		}, `{"Test":["NONE"],"Interval":3000000000,"Timeout":2000000000,"StartPeriod":7000000000,"Retries":9}`, fmt.Sprintf(test, `"StartPeriod":7000000000,`)),
	}, func(s *stage) {
		build(s, "unwell", "HEALTHCHECK --interval=3s --timeout=2s --start-period=7s --retries=9 CMD false")
	})
}

// A check that does not pass brings the old container back, and its output says why.
func TestCheckThatFails(t *testing.T) {
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-e", "DB_PASSWORD=hunter2hunter2", h.Image(t, "busybox"), "sh", "-c", asleep)
	was, all := inspect(t, h, "web"), mine(t, h, "web")
	s := step(t, h, "web", checkChange("null", `{"Test":["CMD-SHELL","echo no answer with $DB_PASSWORD; exit 3"],"Interval":1000000000,"Timeout":5000000000,"Retries":2}`))
	r := recreator(t, h)
	rec, err := attempt(t, r, s)
	var gate *container.GateError
	if !errors.As(err, &gate) {
		t.Fatalf("Do: %v, want a GateError", err)
	}
	contains(t, gate.What, `unhealthy`)
	contains(t, gate.What, `the new check ended with 3 and said "no answer with ***"`)
	contains(t, gate.Cause+gate.Next, "docker/healthcheck")
	undone(t, r, s, rec)
	if found := differ(was, inspect(t, h, "web")); len(found) > 0 || mine(t, h, "web") != all || inspect(t, h, "web").id() != was.id() {
		t.Errorf("after rollback: %v\n%s", found, mine(t, h, "web"))
	}
}
