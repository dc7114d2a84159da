package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/host"
	"docker-harden/remediate/journal"
)

const (
	leastConfirm = 30 * time.Second
	mostConfirm  = 24 * time.Hour
)

func confirmFlag() cli.Flag {
	return &cli.DurationFlag{
		Name: "confirm", Usage: "roll back by itself unless somebody runs confirm within `TIME`, also after a reboot",
		Action: func(_ *cli.Context, d time.Duration) error {
			if d < leastConfirm || d > mostConfirm {
				return usagef("--confirm is %s; it can be %s to %s, the time of the apply included", d, left(leastConfirm), left(mostConfirm))
			}
			return nil
		},
	}
}

// mayWait refuses --confirm where a timer on this machine could not undo the apply, and warns when the
// apply alone may take that long.
func (a *app) mayWait(c *cli.Context, x *application) error {
	within := c.Duration("confirm")
	if within == 0 {
		return nil
	}
	if !x.host.Engine.Local {
		return fmt.Errorf("%w: --confirm works on the engine's own host alone: a timer here does not reach an engine that the change cut off", remediate.ErrRefused)
	}
	if takes := estimate(x.plan.Steps, c.Duration("stable")); takes > within {
		a.note(c, "Warning: this apply may take about %s, and --confirm %s counts from its begin: it would then roll itself back.", left(takes), left(within))
	}
	return nil
}

// estimate is about how long the steps take.
func estimate(steps []plan.Step, stable time.Duration) time.Duration {
	const usual, restart = 5 * time.Second, 3 * time.Second
	if stable == 0 {
		stable = usual
	}
	var sum time.Duration
	for _, s := range steps {
		sum += time.Duration(s.Effect.Downtime * float64(time.Second))
		switch s.Kind {
		case plan.KindRecreate:
			sum += stable
		case plan.KindRestart:
			sum += restart
		}
	}
	return sum
}

// waiting is the newest generation if it waits for its confirm, and whether its time is over; else nil.
// What cannot be read is for the command itself to tell.
func (a *app) waiting(c *cli.Context) (*journal.Generation, journal.Lapse) {
	store, err := a.journals(c)
	if err != nil {
		return nil, journal.NotLapsed
	}
	gen, err := store.Latest()
	if err != nil || !gen.Pending() {
		return nil, journal.NotLapsed
	}
	d, _ := gen.Deadline()
	now, err := host.Clock()
	if err != nil {
		return gen, journal.NotLapsed
	}
	return gen, d.Lapsed(now)
}

// overdue acts on a generation whose time to confirm is over and that is not rolled back, before a
// command does anything else. It then ends the command: what that was about is another host now.
func (a *app) overdue(c *cli.Context) error {
	gen, lapse := a.waiting(c)
	if lapse == journal.NotLapsed {
		return nil
	}
	a.note(c, "Generation %d: %s. Rolling back.", gen.N, lapse)
	if _, err := a.expire(c, gen.N, remediate.ByCommand); err != nil {
		return err
	}
	return fmt.Errorf("%w: generation %d was rolled back just now, because %s; nothing else was done", remediate.ErrExpired, gen.N, lapse)
}

// remind tells, beside what a command is about, that a generation waits.
func (a *app) remind(c *cli.Context) {
	gen, lapse := a.waiting(c)
	switch {
	case gen == nil:
	case lapse != journal.NotLapsed:
		a.note(c, "Generation %d is still to be rolled back, because %s: sudo %s rollback %[1]d", gen.N, lapse, a.name())
	default:
		d, _ := gen.Deadline()
		a.note(c, "Generation %d waits for its confirm. %s", gen.N, a.deadlineText(d, gen.State()))
	}
}

// deadlineText says when a generation goes back, and how to keep it.
func (a *app) deadlineText(d journal.Deadline, state journal.State) string {
	now, err := host.Clock()
	if err != nil {
		return clean(err.Error())
	}
	remains := d.Left(now)
	if state != journal.StateApplied {
		return fmt.Sprintf("Rolled back at %s (in %s) unless it is finished and confirmed before that.", clockTime(time.Now().Add(remains)), left(remains))
	}
	return fmt.Sprintf("Rolled back at %s (in %s) unless you confirm, from a new session: sudo %s confirm",
		clockTime(time.Now().Add(remains)), left(remains), a.name())
}

// confirmJSON is what became of a generation's deadline, for programs.
type confirmJSON struct {
	// State is waiting, overdue, expired (rolled back, or on the way), or settled.
	State    string    `json:"state"`
	Within   float64   `json:"within_seconds"`
	Left     float64   `json:"left_seconds"`
	Deadline time.Time `json:"deadline,omitzero"`
	Why      string    `json:"why,omitempty"`
	By       string    `json:"by,omitempty"`
	Log      string    `json:"log,omitempty"`
	// Problem is why the timer will not act.
	Problem string `json:"timer_problem,omitempty"`
}

// confirmOf describes a generation's deadline; nil: it has none.
func confirmOf(gen *journal.Generation) *confirmJSON {
	d, ok := gen.Deadline()
	if !ok {
		return nil
	}
	j := &confirmJSON{State: "settled", Within: d.Within.Seconds()}
	if e, ok := gen.Expiry(); ok {
		j.State, j.Why, j.By, j.Log = "expired", string(e.Why), e.By, alarmLogOf(gen)
		return j
	}
	if !gen.Pending() {
		return j
	}
	now, err := host.Clock()
	if err != nil {
		j.Problem = err.Error()
		return j
	}
	remains := d.Left(now)
	j.State, j.Left, j.Deadline = "waiting", remains.Seconds(), time.Now().Add(remains)
	if lapse := d.Lapsed(now); lapse != journal.NotLapsed {
		j.State, j.Why, j.Deadline = "overdue", string(lapse), time.Time{}
	}
	return j
}

// stateText is a generation's state with what its deadline makes of it.
func (g generationJSON) stateText() string {
	if g.Confirm == nil {
		return g.State
	}
	switch g.Confirm.State {
	case "waiting":
		if g.State != string(journal.StateApplied) {
			return g.State + ", back at " + clockTime(g.Confirm.Deadline)
		}
		return g.State + ", confirm by " + clockTime(g.Confirm.Deadline)
	case "overdue":
		return g.State + ", overdue"
	case "expired":
		return g.State + ", not confirmed"
	}
	return g.State
}

// confirmText says on lines of its own what status knows of a deadline.
func (a *app) confirmText(g *generationJSON) string {
	j := g.Confirm
	if j == nil {
		return ""
	}
	var b strings.Builder
	switch j.State {
	case "waiting":
		unless := "you run sudo " + a.name() + " confirm"
		if g.State != string(journal.StateApplied) {
			unless = "it is finished and confirmed before that"
		}
		fmt.Fprintf(&b, "It waits for its confirm: rolled back at %s (in %s) unless %s\n",
			clockTime(j.Deadline), left(time.Duration(j.Left*float64(time.Second))), unless)
	case "overdue":
		fmt.Fprintf(&b, "It is still to be rolled back, because %s: sudo %s rollback %d\n", journal.Lapse(j.Why), a.name(), g.Generation)
	}
	if j.Problem != "" {
		fmt.Fprintf(&b, "Its timer will not act: %s. After the deadline, the next command that changes something does.\n", clean(j.Problem))
	}
	return b.String()
}

func expiredText(gen *journal.Generation) string {
	e, ok := gen.Expiry()
	if !ok {
		return ""
	}
	how := "was rolled back"
	if gen.State() != journal.StateRolledBack {
		how = "is to be rolled back, and is " + string(gen.State())
	}
	return fmt.Sprintf("Generation %d %s at %s, because %s.%s", gen.N, how, e.At.Local().Format(time.DateTime), e.Why, prefixed(" Log: ", alarmLogOf(gen)))
}

// alarmLogOf is where a generation's timer wrote what it did, if it did.
func alarmLogOf(gen *journal.Generation) string {
	name := filepath.Join(gen.Dir, alarmLog)
	if !exists(name) {
		return ""
	}
	return name
}

// checkTimer finds out whether the timer of a generation that waits will act.
func (a *app) checkTimer(c *cli.Context, gen *journal.Generation, j *confirmJSON) {
	raw, armed := gen.Timer()
	if j == nil || j.State != "waiting" || !armed {
		return
	}
	timer, err := alarmOf(raw)
	if err == nil {
		err = host.Check(c.Context, timer)
	}
	if err != nil {
		j.Problem = err.Error()
	}
}

// remark tells what a run has to say beside its result.
func (a *app) remark(out remediate.Outcome) {
	for _, text := range out.Remarks {
		a.say("%s: %s", program, clean(text))
	}
}
