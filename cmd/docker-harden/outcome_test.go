package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/journal"
)

// TestPrintOutcome: every way a run can end says what is the case and what to type next.
func TestPrintOutcome(t *testing.T) {
	done := remediate.Outcome{Generation: 3, Done: []string{"daemon", "container/web"}, Journal: "/j"}
	halfway := done
	halfway.State = string(journal.StateApplying)
	undone := remediate.Outcome{
		Generation: 3, Undone: []string{"container/web", "daemon"},
		Restored: map[string]remediate.Restored{
			"container/web": {How: plan.Functional, Notes: []string{"Memory: inspect shows the maximum\x1b[2J"}},
			"daemon":        {How: plan.Exact},
		},
	}
	failed := remediate.Outcome{Generation: 3, Failed: []string{"container/web"}, Done: []string{"daemon"}, Incomplete: []string{"daemon"}, Journal: "/j"}
	still := remediate.Outcome{Generation: 3, Done: []string{"daemon"}, StillFailing: []plan.Finding{
		{Control: "docker/icc", Resource: plan.Daemon(), Message: "icc is true"},
	}}
	for _, test := range []struct {
		name string
		out  remediate.Outcome
		err  error
		want []string
	}{
		{"applied", done, nil, []string{"Generation 3: 2 steps applied", "rollback", "confirm"}},
		{"rolled back", undone, nil, []string{"2 steps rolled back and verified", "container/web: back in effect", `Memory: inspect shows the maximum\x1b[2J`}},
		{"failed", failed, remediate.ErrRolledBack, []string{"Nothing changed on this host"}},
		{"failed, back in effect", undone, remediate.ErrRolledBack, []string{"in effect nothing changed", "inspect shows the maximum"}},
		{"incomplete", failed, remediate.ErrRollbackIncomplete, []string{"ROLLBACK IS INCOMPLETE for daemon", "/j", "rollback 3 --force"}},
		{"stopped", failed, remediate.ErrStopped, []string{"Stopped at container/web", "Kept: daemon", "rollback 3"}},
		{"interrupted", halfway, remediate.ErrInterrupted, []string{"Interrupted after 2 steps", "resume", "rollback 3"}},
		{"still failing", still, remediate.ErrStillFails, []string{"docker/icc on daemon: icc is true", "rollback 3"}},
		{"refused", remediate.Outcome{}, remediate.ErrRefused, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			err := test.err
			if err != nil {
				err = fmt.Errorf("%w: x", err)
			}
			if err := testApp().printOutcome(&b, test.out, err); err != nil {
				t.Fatal(err)
			}
			if test.want == nil && b.Len() > 0 {
				t.Errorf("says %q", b.String())
			}
			for _, want := range test.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%q is missing in\n%s", want, b.String())
				}
			}
			if strings.Contains(b.String(), "\x1b") {
				t.Errorf("escape sequences reach the terminal: %q", b.String())
			}
		})
	}
}

func TestExplainStale(t *testing.T) {
	x := &application{plan: &plan.Plan{Made: time.Now().Add(-130 * time.Minute), Steps: make([]plan.Step, 3)}}
	err := testApp().explainStale(x, "my.plan", &remediate.StaleError{Steps: []remediate.StaleStep{
		{
			ID: "container/web", Moved: []string{"HostConfig.Memory", "Image"},
			From: plan.Basis{"Image": "sha256:" + strings.Repeat("a", 64), "HostConfig.Memory": "1111"},
			To:   plan.Basis{"Image": "sha256:" + strings.Repeat("b", 64)},
		},
		{ID: "container/db", Gone: true},
	}})
	want := `plan is stale for 2 of 3 targets (made 2 h 10 min ago):
  container/web: HostConfig.Memory  1111 -> (unset)
                 Image  sha256:aaaaaaaaaaaa… -> sha256:bbbbbbbbbbbb…
  container/db: no longer exists (removed, or recreated under the same name)
Nothing was changed. Re-plan: docker-harden plan -o my.plan   or the rest: docker-harden apply my.plan --skip-stale`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
	if code := exitCode(t.Context(), err); code != exitPlan {
		t.Errorf("exit %d", code)
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0 s", 59 * time.Second: "59 s", 90 * time.Second: "1 min", 3 * time.Hour: "3 h 0 min", 50 * time.Hour: "2 days",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
