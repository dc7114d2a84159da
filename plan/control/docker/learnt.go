package docker

import (
	"fmt"
	"strings"

	"github.com/docker/go-units"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const sourceLearnt = "learn"

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
			out = append(out, evidence(name, sourceLearnt, "%s", plainName(use.String())))
		}
	}
	rest := without(v.conf, v.used)
	if len(rest) == 0 || !c.Learnt.Watched() {
		return out
	}
	return append(out, evidence("not seen in use", sourceLearnt, "%s (%s)", strings.Join(rest, ", "), watched(c)))
}

// watched says how long was looked.
func watched(c *inventory.Container) string {
	start := "its start not among it"
	if c.Learnt.Started() {
		start = "a start among it"
	}
	return fmt.Sprintf("watched %s, %s", strings.ToLower(units.HumanDuration(c.Learnt.Time())), start)
}
