package remediate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"docker-harden/plan"
	"docker-harden/remediate/journal"
)

// Runner performs plans on one host. Its fields are set once; its methods may be called one after
// another, never at the same time.
type Runner struct {
	Handlers map[plan.Kind]Handler
	Store    *journal.Store
	// Lock is the path of the lock file that keeps a second run off the host.
	Lock        string
	LockTimeout time.Duration // 0: do not wait
	// Events, when set, is called in order from the goroutine that runs.
	Events func(Event)
	// Verify reads the host again and returns the findings of the steps' controls that do not hold.
	Verify func(context.Context, []plan.Step) ([]plan.Finding, error)
	// Watch, when set, looks for a while at what an apply made. A *StepError takes that step back, as one of its
	// handler would have; any other error says only that it could not look. It ends early when ctx does.
	Watch func(ctx context.Context, steps []plan.Step) error
	// Raise, when set, starts an engine that is down, before a rollback or a resumed apply touches
	// anything and while the host is locked: an engine that another run restarts is not down. Its error
	// says why the engine stays down.
	Raise func(context.Context) error
	// Timer and Clock serve an apply that goes back unless it is confirmed. An apply without that, and
	// what follows it, does without both.
	Timer Timer
	Clock func() (journal.Instant, error)
	Now   func() time.Time
	Tool  string
	// Machine is this machine's id as in [plan.Host]; empty where it is not known.
	Machine string
}

// ours refuses a generation that was made on another machine: its steps name files and containers of that one.
func (r *Runner) ours(gen *journal.Generation) error {
	made := gen.Begin.Host
	if r.Machine == "" || made.MachineID == "" || r.Machine == made.MachineID {
		return nil
	}
	return fmt.Errorf("%w: generation %d in %s was made on %s (machine %.12s), this is machine %.12s; if it is the same one with a new id: docker-harden rollback %d --force",
		ErrForeign, gen.N, gen.Dir, made.Name, made.MachineID, r.Machine, gen.N)
}

// lock takes the host's lock; the returned function gives it back.
func (r *Runner) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(r.Lock), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the lock's directory: %w", err)
	}
	l := flock.New(r.Lock, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if !ok && err == nil && r.LockTimeout > 0 {
		waiting, cancel := context.WithTimeout(ctx, r.LockTimeout)
		defer cancel()
		const retry = 100 * time.Millisecond
		ok, err = l.TryLockContext(waiting, retry)
	}
	switch {
	case ok:
		return func() { _ = l.Unlock() }, nil
	case err == nil, errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: %s is locked; wait for it, or use --lock-timeout", ErrLocked, r.Lock)
	default:
		return nil, fmt.Errorf("cannot lock %s: %w", r.Lock, err)
	}
}

func (r *Runner) handler(s plan.Step) (Handler, error) {
	h, ok := r.Handlers[s.Kind]
	if !ok {
		return nil, fmt.Errorf("%w: this host offers no way to %s %s", ErrRefused, s.Kind, s.ID)
	}
	return h, nil
}

// run is one generation being worked on.
type run struct {
	*Runner
	gen     *journal.Generation
	journal *journal.Journal
	out     *Outcome
	index   int
	total   int
	down    bool // the engine does not start
	// deadline is when an apply goes back; nil when it just stays.
	deadline *journal.Deadline
}

type basisFunc = func(context.Context, plan.Resource) (plan.Basis, bool, error)

func (r *Runner) begin(gen *journal.Generation, j *journal.Journal, total int) *run {
	return &run{Runner: r, gen: gen, journal: j, total: total, out: &Outcome{
		Generation: gen.N, Journal: filepath.Join(gen.Dir, journal.FileName), Restored: map[string]Restored{},
	}}
}

// raise starts an engine that is down.
func (x *run) raise(ctx context.Context) { x.down = x.Raise != nil && x.Raise(ctx) != nil }

// close ends a run: the outcome's state is what the journal on disk says.
func (x *run) close() {
	_ = x.journal.Close()
	if gen, err := x.Store.Load(x.gen.N); err == nil {
		x.out.State = string(gen.State())
		if d, ok := gen.Deadline(); ok && gen.Pending() {
			x.out.Deadline = &d
		}
	}
}

func (x *run) emit(s plan.Step, phase Phase, text string, since time.Time, err error) {
	if x.Events == nil {
		return
	}
	e := Event{
		Generation: x.gen.N, Index: x.index, Total: x.total, Step: s.ID, Kind: s.Kind, Phase: phase, Text: text, Err: err,
	}
	if !since.IsZero() {
		e.Elapsed = time.Since(since)
	}
	x.Events(e)
}

// stepLog gives a handler its [Log].
type stepLog struct {
	x     *run
	step  plan.Step
	phase Phase
}

func (l stepLog) Note(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("internal error: cannot note %T: %w", v, err)
	}
	return l.x.journal.Write(journal.Note, l.step.ID, json.RawMessage(raw))
}

func (l stepLog) Progress(text string) { l.x.emit(l.step, l.phase, text, time.Time{}, nil) }
