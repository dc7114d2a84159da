package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// progress tells a person or a program what a run does, on stderr.
type progress interface {
	event(remediate.Event)
	// close clears what is unfinished on the screen.
	close()
}

// listener counts what progress told of failed steps, so that the end need not repeat it.
type listener struct {
	progress
	failures int
}

func (l *listener) event(e remediate.Event) {
	if finishedLine(e) != "" && e.Err != nil {
		l.failures++
	}
	l.progress.event(e)
}

// toldError is an error whose reason stands in the progress already.
type toldError struct{ error }

func (e toldError) Unwrap() error { return e.error }

// after marks the error of a run whose failed steps a person has seen.
func (l *listener) after(err error) error {
	switch l.progress.(type) {
	case plainProgress, *liveProgress:
		if err != nil && l.failures > 0 {
			return toldError{err}
		}
	}
	return err
}

// newProgress picks a way to tell progress: what was asked for, else what suits the stream.
func (a *app) newProgress(c *cli.Context) progress {
	how := c.String("progress")
	if c.Bool("quiet") {
		how = "quiet"
	}
	if how == "auto" {
		how = "plain"
		if isTerminal(a.err) && a.getenv("TERM") != "dumb" {
			how = "tty"
		}
	}
	switch how {
	case "quiet":
		return quietProgress{}
	case "json":
		a.jsonErrors = true
		return jsonProgress{out: a.err}
	case "tty":
		return newLiveProgress(a.err, a.colour(c, a.err))
	}
	return plainProgress{out: a.err}
}

type quietProgress struct{}

func (quietProgress) event(remediate.Event) {}
func (quietProgress) close()                {}

// plainProgress prints one line for every step that ended.
type plainProgress struct{ out io.Writer }

func (p plainProgress) event(e remediate.Event) {
	if line := finishedLine(e); line != "" {
		_, _ = fmt.Fprintln(p.out, line)
	}
}

func (plainProgress) close() {}

// jsonProgress prints every event as a line of JSON.
type jsonProgress struct{ out io.Writer }

func (p jsonProgress) event(e remediate.Event) {
	line := struct {
		remediate.Event
		Error string `json:"error,omitempty"`
	}{Event: e}
	if e.Err != nil {
		line.Error = e.Err.Error()
	}
	data, err := json.Marshal(line)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(p.out, "%s\n", plan.Visible(data))
}

func (jsonProgress) close() {}

// failed is the last line of a run that failed.
func (p jsonProgress) failed(err error) {
	data, merr := json.Marshal(map[string]string{"error": err.Error()})
	if merr == nil {
		_, _ = fmt.Fprintf(p.out, "%s\n", plan.Visible(data))
	}
}

// finishedLine is the line of a step that ended, or "" for an event on the way.
func finishedLine(e remediate.Event) string {
	head := counter(e) + " " + clean(e.Step)
	switch e.Phase {
	case remediate.PhaseDone:
		return head + "  " + word(e.Kind) + afterword(e.Text) + seconds(e.Elapsed)
	case remediate.PhaseUndone:
		return head + "  back" + afterword(e.Text) + seconds(e.Elapsed)
	case remediate.PhaseFailed, remediate.PhaseUndoFailed:
		text := head + "  FAILED"
		if e.Err != nil {
			text += ": " + indent(clean(reason(e.Err)))
		}
		return text
	}
	return ""
}

// runningLine is what is going on in a step.
func runningLine(e remediate.Event) string {
	text := clean(e.Text)
	if text == "" {
		switch e.Phase {
		case remediate.PhasePrepare:
			text = "looking"
		case remediate.PhaseDo:
			text = "changing"
		case remediate.PhaseUndo:
			text = "bringing back"
		case remediate.PhaseVerify:
			return "looking at the whole host again"
		case remediate.PhaseWatch:
			return "watching what was changed"
		}
	}
	return counter(e) + " " + clean(e.Step) + "  " + text
}

func counter(e remediate.Event) string {
	back := ""
	switch e.Phase {
	case remediate.PhaseUndo, remediate.PhaseUndone, remediate.PhaseUndoFailed:
		back = "r"
	}
	if e.Total == 0 || e.Index == 0 {
		return prefixed(" ", back)
	}
	return fmt.Sprintf(" [%s%d/%d]", back, e.Index, e.Total)
}

// word says what was done, for each kind of step.
func word(k plan.Kind) string {
	switch k {
	case plan.KindFile:
		return "owner and mode set"
	case plan.KindSocket:
		return "owner and mode set, also of the next one"
	case plan.KindAudit:
		return "audit rules loaded"
	case plan.KindGroup:
		return "members set"
	case plan.KindUpdate:
		return "updated live"
	case plan.KindSwarm:
		return "set in the whole swarm"
	case plan.KindNetwork:
		return "moved to another network live"
	case plan.KindReload:
		return "engine reloaded"
	case plan.KindRestart:
		return "engine restarted"
	case plan.KindRecreate:
		return "recreated"
	}
	return "done"
}

func afterword(text string) string { return prefixed(", ", clean(text)) }

func seconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return fmt.Sprintf("  %.1fs", d.Seconds())
}

// reason is a step's own error without "cannot apply STEP", which the line already says.
// The likely cause gets a line of its own.
func reason(err error) string {
	if step, ok := err.(*remediate.StepError); ok { //nolint:errorlint // only the outermost words repeat the line
		err = step.Err
	}
	return strings.ReplaceAll(err.Error(), "; likely cause: ", "\nlikely cause: ")
}

// indent sets the further lines of a text under its first.
func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n        ") }
