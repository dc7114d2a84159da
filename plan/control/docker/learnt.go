package docker

import (
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"

	"docker-harden/plan"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const sourceLearnt = "learn"

// How sure what was learnt is.
const (
	sureHigh   = "high"
	sureMedium = "medium"
	sureLow    = "low"
)

// learntParam says what an answer was learnt of, so that it does not hold for something else.
func learntParam() profile.Param {
	return profile.Param{
		Name: "learnt", Type: profile.TypeText, Default: "",
		Doc: "written by answer: what the answer was learnt of (image, command, user, names of variables and mounts); when that changes, the question comes back",
	}
}

// outdated reports whether an answer was learnt of another image or configuration than the container has now.
func outdated(c *inventory.Container, p profile.Params) bool {
	of := p.Text("learnt")
	return of != "" && of != c.Work().ID()
}

// outdatedText says so, in a question.
func outdatedText(c *inventory.Container, p profile.Params) string {
	return fmt.Sprintf("The answer was learnt before its image or configuration changed (of %s, now it is %s). Learn again and answer anew, or say that it still holds.",
		plainName(p.Text("learnt")), c.Work().ID())
}

// usedCaps are the capabilities that a container was seen to use while it was watched.
func usedCaps(c *inventory.Container) []string {
	if c.Learnt == nil {
		return nil
	}
	return c.Learnt.Used()
}

// askUsed asks before anything is taken away from a container that was seen to use what the profile drops.
func askUsed(c *inventory.Container, p profile.Params, f plan.Finding, excess []string) plan.Finding {
	var words, needed []string
	for _, name := range excess {
		if uses := c.Learnt.Uses(name); len(uses) > 0 {
			needed = append(needed, name)
			words = append(words, name+" ("+plainName(uses[0].String())+")")
		}
	}
	f.Status, f.Message = plan.Fail, "it may use "+capText(excess)
	keep := fmt.Sprintf("keep: [%s]", strings.Join(union(capList(p.List("keep")), needed), ", "))
	return ask(f, "It was seen to use "+list(words)+". Does it need that?", answerContainer(c, "docker/capabilities", keep))
}

// usedEvidence says for what each was used that the container may use, and which were not seen in use for how long.
func usedEvidence(c *inventory.Container, v capView) []plan.Evidence {
	if c.Learnt == nil {
		return nil
	}
	var out []plan.Evidence
	for _, name := range v.conf {
		for _, use := range c.Learnt.Uses(name) {
			out = append(out, useEvidence(name, c.Learnt, use))
		}
	}
	rest := without(v.conf, v.used)
	if len(rest) == 0 || !c.Learnt.Watched() {
		return out
	}
	return append(out, evidence("not seen in use", sourceLearnt, "%s (%s)", strings.Join(rest, ", "), watched(c)))
}

func useEvidence(name string, f *record.File, use record.Check) plan.Evidence {
	return plan.Evidence{Name: name, Value: useText(f, use), Source: sourceLearnt}
}

// useText is a use in words, with when it was first made.
func useText(f *record.File, use record.Check) string {
	text := plainName(use.String())
	switch f.PhaseAt(use.First) {
	case record.PhaseSecondStart:
		return text + ", first at its second start"
	case record.PhaseStop:
		return text + ", first when it was stopped"
	}
	if after, ok := f.SinceStart(use.First); ok {
		return fmt.Sprintf("%s, %.2f s after a start", text, after.Seconds())
	}
	return text
}

// watched says how long was looked.
func watched(c *inventory.Container) string {
	f := c.Learnt
	text := "watched " + strings.ToLower(units.HumanDuration(f.Time()))
	creates, starts, stops := f.Lives()
	switch {
	case !f.Started():
		return text + ", its start not among it"
	case len(f.LifeGaps()) > 0:
		return text + ", a start among it"
	}
	return fmt.Sprintf("%s, %s made anew, started %s, stopped %s", text, times(creates), times(starts), times(stops))
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// longWatch is how long is long enough for what is done only now and then: backups, rotation of logs.
const longWatch = 24 * time.Hour
