package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/owner"
	"docker-harden/plan/profile"
	"docker-harden/remediate/host"
)

func (a *app) answerCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "answer", Usage: "write what learn saw into a profile of yours, as answers to its questions",
		Flags: []cli.Flag{
			profileFlag(), evidenceFlag(), fromFlag(),
			&cli.StringSliceFlag{Name: "only", Usage: "answer only `CONTROL` (an id or a benchmark number); may be repeated"},
			riskFlag("min-confidence", "take nothing away that is less sure than `LEVEL`: low, medium or high"),
		},
		Description: `For each container of the evidence: capabilities (all dropped but those that were used), no-new-privileges,
a read-only root file system with the places that get a tmpfs or a volume, and, when --only names it, privileged. What
is written is printed, with a reason for each line; what the evidence does not answer, too. Nothing on the
host changes: the next plan does what the profile says now.

Evidence has to be of the image and the configuration that the container has now, and to have seen a start, a
graceful stop, a second start and a check that it works. An answer remembers what it was learnt of: when image
or configuration change, the question comes back. Comments, order and format of the file stay.

Examples:
  sudo $CMD answer --evidence web.evidence.json -p site.yaml
  sudo $CMD answer --evidence web.evidence.json --evidence db.evidence.json --only capabilities -p site.yaml
  sudo $CMD answer --evidence old.evidence.json --only privileged --min-confidence medium -p site.yaml`,
	}, 0, a.answer)
}

func (a *app) answer(c *cli.Context) error {
	if len(c.StringSlice("evidence")) == 0 {
		return usagef("answer takes --evidence FILE, which learn writes")
	}
	only, err := onlyControls(c)
	if err != nil {
		return err
	}
	catalog := control.Catalog(rulebook())
	f, err := a.ownProfile(c.String("profile"), catalog)
	if err != nil {
		return err
	}
	p, err := profile.Load(f.Data, f.Source, catalog)
	if err != nil {
		return err
	}
	h, err := a.sight(c.Context, c, p)
	if err != nil {
		return err
	}
	w := answerText{before: f.Data, file: f}
	for i := range h.Containers {
		one := &h.Containers[i]
		for _, answer := range controls.LearntAnswers(h, one, p, c.String("min-confidence")) {
			if err := w.take(one, answer, only); err != nil {
				return err
			}
		}
	}
	return a.writeAnswers(c, &w)
}

// onlyControls are the ids that --only names; none: all.
func onlyControls(c *cli.Context) ([]string, error) {
	var ids []string
	for _, word := range c.StringSlice("only") {
		rules, err := matchControls(rulebook(), word)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}

// answerText is what becomes of a profile, and what is said of it.
type answerText struct {
	before []byte
	file   profile.File // as it will be
	text   strings.Builder
	given  int // written, or there already
	not    int
}

// take writes one answer into the text of the profile.
func (w *answerText) take(c *inventory.Container, answer controls.LearntAnswer, only []string) error {
	named := slices.Contains(only, answer.Control)
	if len(only) > 0 && !named {
		return nil
	}
	head := fmt.Sprintf("%s: %s", c.Name, answer.Control)
	switch {
	case answer.Refused != "":
		w.not++
		w.line("%s, not answered: %s", head, answer.Refused)
		return nil
	case answer.Asked && !named:
		w.line("%s, only answered with --only %s: evidence does not say all that it needs", head, answer.Control)
		return nil
	}
	w.given++
	edit, err := w.file.Answer(c.Name, answer.Control, answer.Values())
	switch {
	case errors.Is(err, profile.ErrSame):
		w.line("%s, answered already", head)
	case err != nil:
		return err
	default:
		w.file.Data = edit.Data
		w.line("%s, answered in %s:", head, fileLine(w.file.Source, edit.Line))
	}
	for _, reason := range answer.Why {
		w.line("  %-7s %s", reason.Sure, reason.Text)
	}
	for _, line := range edit.Lines {
		if text, is := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "- "), "{match:"); is {
			w.line("  {match:%s", text)
		}
	}
	return nil
}

func (w *answerText) line(format string, args ...any) {
	fmt.Fprintf(&w.text, "%s\n", clean(fmt.Sprintf(format, args...)))
}

// writeAnswers writes the profile once, and says what is in it and what comes next.
func (a *app) writeAnswers(c *cli.Context, w *answerText) error {
	changed := string(w.before) != string(w.file.Data)
	if changed {
		if err := host.Rewrite(w.file.Source, w.before, w.file.Data); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(a.out, w.text.String()); err != nil {
		return err
	}
	switch {
	case w.given == 0 && w.not > 0:
		return errors.New("nothing was answered: the evidence does not show enough; the profile is as it was")
	case w.given == 0:
		a.note(c, "The profile asks nothing that this evidence answers.")
	case changed:
		a.note(c, "Next: %s", clean(a.name()+" "+owner.Command("plan", "-p", w.file.Source)))
	}
	return nil
}
