package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/evidence/trace"
	"docker-harden/plan/inventory"
	"docker-harden/plan/learn"
)

func (a *app) learnCommand() *cli.Command {
	flags := append([]cli.Flag{
		&cli.BoolFlag{Name: "attach", Usage: "watch what runs, start and stop nothing (the default)"},
		&cli.BoolFlag{Name: "rehearse", Usage: "make each container anew without any change, exercise it, stop and start it once more"},
		yesFlag(),
		&cli.DurationFlag{Name: "for", Usage: "watch for `TIME` (default 1m; with --exercise until the command ends)"},
		&cli.StringFlag{Name: "exercise", Usage: "run `COMMAND` with sh on the host meanwhile: requests, a reload, docker restart"},
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: ".", Usage: "`DIR` for the files, one a container: NAME.evidence.json"},
		&cli.BoolFlag{Name: "replace", Usage: "replace evidence that is there instead of adding to it"},
		profileFlag(),
	}, waitFlags()...)
	return leaf(&cli.Command{
		Name: "learn", Usage: "watch what containers use, and write it down as evidence for plan", ArgsUsage: "CONTAINER...", Flags: flags,
		Description: `Counts in the kernel which capabilities the containers use, in which system calls and by which processes, and what they
execute; takes samples of memory and processes; lists what was written into their root file systems. Nothing is started,
stopped or changed, and Ctrl-C ends the watching early and keeps what was seen. What is not exercised is not seen:
let the watching span a start, a graceful stop, a reload, backups, whatever the container does now and then.

With --rehearse it makes that happen, for a maintenance window: each container is made anew with the configuration
that it has, by the same code as an apply and with the same way back (rollback; resume after a crash), then the exercise
runs, then it is stopped and started once more and watched for the time of --for. Its files are carried over, so what
it does with a fresh root file system or an empty volume is not seen. The profile only says what apply's recreate may do.

plan --evidence then asks before it takes away a capability that was used, or what an execution gained, and counts the
memory and the processes that were seen.

Examples:
  sudo $CMD learn web --for 1h
  sudo $CMD learn web --exercise 'docker restart web'
  sudo $CMD learn web --rehearse --exercise ./requests.sh --for 10m
  sudo $CMD learn web db -o evidence --for 24h
  sudo $CMD plan --evidence evidence/web.evidence.json`,
	}, many, a.learn)
}

const (
	learnTime     = time.Minute
	learnInterval = time.Second
)

// period is how long is watched: for a time, or until a command has ended; both: the longer.
type period struct {
	lasts    time.Duration
	exercise string
}

func (a *app) learn(c *cli.Context) error {
	if c.NArg() == 0 {
		return usagef("learn takes the names of containers")
	}
	switch {
	case c.IsSet("for") && c.Duration("for") <= 0:
		return usagef("--for takes a time above 0")
	case c.Bool("attach") && c.Bool("rehearse"):
		return usagef("--attach starts and stops nothing, --rehearse does: give one of them")
	}
	defer onInterrupt(c.Context, "ending the watch and writing down what was seen; once more to end without")()
	e, h, err := a.look(c.Context, c, inventory.Options{})
	if err != nil {
		return err
	}
	watched, err := learnable(h, c.Args().Slice())
	if err != nil { // a rehearsal that was killed leaves a container that does not run
		return a.halfDone(c.Context, c, err)
	}
	if err := a.addable(c, watched); err != nil {
		return err
	}
	p := period{lasts: c.Duration("for"), exercise: c.String("exercise")}
	if p.lasts == 0 && p.exercise == "" {
		p.lasts = learnTime
	}
	do := func(w *learn.Watch) error { return a.observeWhile(c, w, watched, p) }
	if c.Bool("rehearse") {
		r, err := a.rehearsal(c, e, h, watched)
		if err != nil {
			return err
		}
		do = func(w *learn.Watch) error { return r.run(w, p) }
	}
	w, err := a.watch(c, e, watched, do)
	if err != nil {
		return err
	}
	return a.writeEvidence(c, w, watched)
}

// learnable finds the containers and says why one cannot be watched.
func learnable(h *inventory.Host, names []string) ([]*inventory.Container, error) {
	if !h.Engine.Local {
		return nil, fmt.Errorf("cannot watch containers of an engine on another machine: run learn there, and give its files to plan --evidence")
	}
	var out []*inventory.Container
	for _, name := range names {
		c := h.Find(name)
		switch {
		case c == nil:
			return nil, fmt.Errorf("cannot watch %s: no container has this name or id", name)
		case !c.Running():
			return nil, fmt.Errorf("cannot watch %s: it does not run", name)
		}
		out = append(out, c)
	}
	return out, nil
}

// watch counts, samples and listens while something is done.
func (a *app) watch(c *cli.Context, e *engine, watched []*inventory.Container, do func(*learn.Watch) error) (*learn.Watch, error) {
	w := &learn.Watch{Tool: toolVersion(), From: time.Now()}
	recorder, err := trace.Start()
	if err != nil {
		w.Reason = learn.Unwatched(err)
		a.note(c, "Capabilities cannot be watched here: %s.\nMemory, processes and written files are.", clean(w.Reason))
	} else {
		w.Hook = recorder.Hook()
		defer recorder.Close() //nolint:errcheck // everything was read
	}
	f := a.follow(c, e, watched, w.From)
	err = do(w)
	w.To = time.Now()
	f.end(w)
	if err != nil {
		return nil, err
	}
	if recorder != nil {
		if w.Counts, err = recorder.Counts(); err != nil {
			return nil, err
		}
	}
	// However the watching ended, what was seen is written down.
	_, w.Host, err = a.look(context.WithoutCancel(c.Context), c, inventory.Options{})
	return w, err
}

// observeWhile watches until the time is over, the exercise has ended or somebody interrupts.
func (a *app) observeWhile(c *cli.Context, w *learn.Watch, watched []*inventory.Container, p period) error {
	names := make([]string, len(watched))
	for i, one := range watched {
		names[i] = one.Name
	}
	a.note(c, "Watching %s. Ctrl-C ends it early.", watching(names, p.lasts))
	sampled, err := a.sampleWhile(c, w, p)
	if err != nil {
		return err
	}
	for i := range sampled.Containers {
		w.Sampled(sampled.Containers[i].ID, sampled.Containers[i].Usage)
	}
	return nil
}

func watching(names []string, lasts time.Duration) string {
	until := "until the exercise ends"
	if lasts > 0 {
		until = fmt.Sprintf("for %s, until %s", lasts, time.Now().Add(lasts).Format(time.TimeOnly))
	}
	return clean(strings.Join(names, ", ")) + " " + until
}

// sampleWhile takes samples of all containers while the time lasts and the exercise runs, or until interrupted.
func (a *app) sampleWhile(c *cli.Context, w *learn.Watch, p period) (*inventory.Host, error) {
	enough := make(chan struct{})
	var failed error
	go func() {
		defer close(enough)
		ctx := c.Context
		if p.lasts > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, p.lasts)
			defer cancel()
		}
		if p.exercise != "" {
			w.Passed, failed = a.exercise(c.Context, p.exercise)
			if p.lasts == 0 {
				return
			}
		}
		<-ctx.Done()
	}()
	const endless = 1 << 30
	_, h, err := a.look(context.WithoutCancel(c.Context), c, inventory.Options{Samples: endless, Interval: learnInterval, Enough: enough})
	if err != nil {
		return nil, err
	}
	<-enough
	if failed != nil {
		return nil, failed
	}
	return h, nil
}

// exercise runs a command as the person who asks would, its output on stderr: stdout is the result's. One that was
// interrupted has not passed.
func (a *app) exercise(ctx context.Context, command string) (passed bool, err error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdout, cmd.Stderr, cmd.Stdin = a.err, a.err, nil
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err = cmd.Run(); err != nil && ctx.Err() == nil {
		return false, fmt.Errorf("the exercise failed, so what was seen is not written down: %w", err)
	}
	return err == nil, nil
}

// evidencePath is the file of a container: an engine that gives names with slashes does not choose the directory.
func (a *app) evidencePath(c *cli.Context, name string) string {
	return filepath.Join(c.String("out"), strings.ReplaceAll(name, "/", "_")+".evidence.json")
}

// addable fails where a file could not be added to at the end, before any time is spent.
func (a *app) addable(c *cli.Context, watched []*inventory.Container) error {
	if err := os.MkdirAll(c.String("out"), 0o700); err != nil {
		return fmt.Errorf("cannot make the directory for evidence: %w", err)
	}
	for _, one := range watched {
		path := a.evidencePath(c, one.Name)
		if err := replaceable(path, isEvidence); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		}
		if _, err := os.Lstat(path); err != nil || c.Bool("replace") {
			continue
		}
		f, err := readEvidence(path)
		if err != nil {
			return err
		}
		if err := f.About(one.Inspect.Image, one.Work()); err != nil {
			return fmt.Errorf("cannot add to %s: %w; start anew with --replace", path, err)
		}
	}
	return nil
}

// writeEvidence writes one file a container, also when another one cannot be written.
func (a *app) writeEvidence(c *cli.Context, w *learn.Watch, watched []*inventory.Container) error {
	var failed []error
	for _, one := range watched {
		path := a.evidencePath(c, one.Name)
		f, err := w.Evidence(one)
		if err == nil {
			f, err = addEvidence(path, f, c.Bool("replace"))
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if err := a.printEvidence(f, path); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}
