package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container"
	"docker-harden/remediate/journal"
)

// work runs something that changes the host and says how it ended: progress and errors on stderr,
// the outcome on stdout. h is what was seen of the host, nil where the rollback file alone has to do.
func (a *app) work(c *cli.Context, e *engine, h *inventory.Host, do func(*remediate.Runner) (remediate.Outcome, error)) error {
	p := &listener{progress: a.newProgress(c)}
	runner, err := a.runner(c, e, h, p)
	if err != nil {
		p.close()
		return err
	}
	out, err := do(runner)
	p.close()
	var perr error
	if c.String("format") == "json" {
		perr = a.printJSON(outcomeOf(out, err))
	} else {
		perr = a.printOutcome(a.out, out, err)
		err = p.after(err)
	}
	a.remark(out)
	if perr != nil { // the exit status speaks of the host, not of the pipe
		a.say("%s: cannot print the outcome: %s", program, clean(perr.Error()))
	}
	return err
}

// outcomeJSON is an outcome for programs.
type outcomeJSON struct {
	Format       string                        `json:"format"`
	Generation   int                           `json:"generation,omitempty"`
	State        string                        `json:"state,omitempty"`
	Done         []string                      `json:"done"`
	Failed       []string                      `json:"failed,omitempty"`
	Undone       []string                      `json:"undone,omitempty"`
	Incomplete   []string                      `json:"incomplete,omitempty"`
	Restored     map[string]remediate.Restored `json:"restored,omitempty"`
	StillFailing []plan.Finding                `json:"still_failing,omitempty"`
	Stale        []remediate.StaleStep         `json:"stale,omitempty"`
	Journal      string                        `json:"journal,omitempty"`
	Deadline     *journal.Deadline             `json:"deadline,omitempty"` // it waits for its confirm
	Remarks      []string                      `json:"remarks,omitempty"`
	Error        string                        `json:"error,omitempty"`
}

func outcomeOf(out remediate.Outcome, err error) outcomeJSON {
	j := outcomeJSON{
		Format: "docker-harden/outcome/v1", Generation: out.Generation, State: out.State, Done: out.Done, Failed: out.Failed,
		Undone: out.Undone, Incomplete: out.Incomplete, Restored: out.Restored, StillFailing: out.StillFailing,
		Stale: out.Stale, Journal: out.Journal, Deadline: out.Deadline, Remarks: out.Remarks,
	}
	if j.Done == nil {
		j.Done = []string{}
	}
	if err != nil {
		j.Error = err.Error()
	}
	return j
}

// printOutcome says in words how a run ended, and what to type next.
func (a *app) printOutcome(w io.Writer, out remediate.Outcome, err error) error {
	if out.Generation == 0 {
		return nil // nothing was begun; the error says why
	}
	var b strings.Builder
	switch {
	case errors.Is(err, remediate.ErrRollbackIncomplete):
		fmt.Fprintf(&b, "ROLLBACK IS INCOMPLETE for %s. This host is between two states.\n", clean(strings.Join(out.Incomplete, ", ")))
		fmt.Fprintf(&b, "  rollback file: %s\n", out.Journal)
		fmt.Fprintf(&b, "  try again:     sudo %s rollback %d\n", a.name(), out.Generation)
		fmt.Fprintf(&b, "  over what others changed since: sudo %s rollback %d --force\n", a.name(), out.Generation)
	case errors.Is(err, remediate.ErrRolledBack):
		if differs(out) {
			b.WriteString("Rolled back and verified: in effect nothing changed on this host.\n")
		} else {
			b.WriteString("Nothing changed on this host (rolled back, verified).\n")
		}
	case errors.Is(err, remediate.ErrStopped):
		fmt.Fprintf(&b, "Stopped at %s, which was undone. Kept: %s.\n", clean(strings.Join(out.Failed, ", ")), clean(listed(out.Done)))
		fmt.Fprintf(&b, "Undo these too: sudo %s rollback %d\n", a.name(), out.Generation)
	case errors.Is(err, remediate.ErrInterrupted) && out.State != string(journal.StateApplying):
		fmt.Fprintf(&b, "Interrupted: %s of generation %d undone, the rest is as it was.\n", count(len(out.Undone), "step"), out.Generation)
		fmt.Fprintf(&b, "Go on: sudo %s rollback %d\n", a.name(), out.Generation)
	case errors.Is(err, remediate.ErrInterrupted):
		fmt.Fprintf(&b, "Interrupted after %s of generation %d.\n", count(len(out.Done), "step"), out.Generation)
		fmt.Fprintf(&b, "Finish it: sudo %s resume   or undo it: sudo %[1]s rollback %d\n", a.name(), out.Generation)
	case errors.Is(err, remediate.ErrStillFails):
		fmt.Fprintf(&b, "Generation %d: %s applied, and something still fails:\n", out.Generation, count(len(out.Done), "step"))
		for _, f := range out.StillFailing {
			fmt.Fprintf(&b, "  %s on %s: %s\n", f.Control, clean(f.Resource.String()), clean(f.Message))
		}
		fmt.Fprintf(&b, "Undo: sudo %s rollback %d\n", a.name(), out.Generation)
	case err == nil && len(out.Undone) > 0:
		fmt.Fprintf(&b, "Generation %d: %s rolled back and verified.\n", out.Generation, count(len(out.Undone), "step"))
	case err == nil && len(out.Done) == 0 && out.State == string(journal.StateRolledBack):
		fmt.Fprintf(&b, "Generation %d is rolled back: there was nothing to undo.\n", out.Generation)
	case err == nil && len(out.Done) > 0:
		fmt.Fprintf(&b, "Generation %d: %s applied; every control was seen to hold.\n", out.Generation, count(len(out.Done), "step"))
		if out.Deadline == nil {
			fmt.Fprintf(&b, "Undo: sudo %s rollback   Keep: sudo %[1]s confirm\n", a.name())
		}
	}
	if out.Deadline != nil {
		fmt.Fprintln(&b, a.deadlineText(*out.Deadline, journal.State(out.State)))
	}
	restored(&b, out)
	var gate *container.GateError
	if errors.As(err, &gate) && gate.Next != "" {
		fmt.Fprintf(&b, "Next: %s\n", clean(gate.Next))
	}
	_, werr := io.WriteString(w, b.String())
	return werr
}

// differs reports whether a rollback left something that is equal in effect only.
func differs(out remediate.Outcome) bool {
	return slices.ContainsFunc(out.Undone, func(id string) bool {
		r := out.Restored[id]
		return r.How != plan.Exact && len(r.Notes) > 0
	})
}

// restored names what a rollback did not bring back exactly, and what went with an exact one.
func restored(b *strings.Builder, out remediate.Outcome) {
	again := slices.Sorted(maps.Keys(out.Restored))
	again = slices.DeleteFunc(again, func(id string) bool { return slices.Contains(out.Undone, id) })
	for i, id := range slices.Concat(out.Undone, again) {
		r := out.Restored[id]
		if len(r.Notes) == 0 {
			continue
		}
		how := "back in effect, not byte for byte"
		switch {
		case i >= len(out.Undone):
			how = "what was half done was undone first; note"
		case r.How == plan.Exact:
			how = "back exactly; note"
		}
		fmt.Fprintf(b, "  %s: %s:\n", clean(id), how)
		for _, note := range r.Notes {
			fmt.Fprintf(b, "    %s\n", clean(note))
		}
	}
}

func listed(items []string) string {
	if len(items) == 0 {
		return "nothing"
	}
	return strings.Join(items, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// staleError is a stale plan, told field by field.
type staleError struct {
	cause *remediate.StaleError
	text  string
}

func (e *staleError) Error() string { return e.text }
func (e *staleError) Unwrap() error { return e.cause }

// explainStale words a refused stale plan; other errors it returns as they are.
func (a *app) explainStale(x *application, file string, err error) error {
	var stale *remediate.StaleError
	if !errors.As(err, &stale) || errors.Is(err, remediate.ErrRolledBack) {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "plan is stale for %d of %d targets (made %s ago):", len(stale.Steps), len(x.plan.Steps), ago(time.Since(x.plan.Made)))
	for _, s := range stale.Steps {
		if s.Gone {
			fmt.Fprintf(&b, "\n  %s: no longer exists (removed, or recreated under the same name)", s.ID)
			continue
		}
		for i, field := range s.Moved {
			head := s.ID + ":"
			if i > 0 {
				head = strings.Repeat(" ", len(head))
			}
			fmt.Fprintf(&b, "\n  %s %s  %s -> %s", head, field, shown(s.From[field]), shown(s.To[field]))
		}
	}
	if file == "" {
		file = "host.plan"
	}
	fmt.Fprintf(&b, "\nNothing was changed. Re-plan: %s plan -o %s   or the rest: %[1]s apply %[2]s --skip-stale", a.name(), file)
	return &staleError{cause: stale, text: b.String()}
}

// shown is a basis value: a short hash, or a value that is no secret.
func shown(value string) string {
	const most = 19 // sha256: and twelve digits
	switch {
	case value == "":
		return "(unset)"
	case strings.HasPrefix(value, "sha256:") && len(value) > most:
		return value[:most] + "…"
	}
	return value
}

// ago is a duration as people say it.
func ago(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
