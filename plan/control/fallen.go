package control

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// StillRunning stands in the place of a control in the findings of [Fallen].
const StillRunning = "still-running"

// Ran are the containers of steps that run on h, but for those in a restart loop.
func Ran(h *inventory.Host, steps []plan.Step) []plan.Ran {
	var out []plan.Ran
	for _, s := range steps {
		for _, part := range s.Parts() {
			if part.Resource.Kind != plan.ResourceContainer {
				continue
			}
			c := h.Find(part.Resource.Name)
			if c != nil && c.Running() && !c.Inspect.State.Restarting {
				out = append(out, plan.Ran{Name: part.Resource.Name, Restarted: c.Inspect.RestartCount > 0})
			}
		}
	}
	return out
}

// Fallen are the containers of steps that ran before and have ended with an error since then, or are started
// again and again. The gate of a step watches a container for some seconds only, and one that ended has every
// setting it should have: no control would say so. One that ended well has done its work, and one that was
// restarted before already is not called broken by the change.
func Fallen(ran []plan.Ran, now *inventory.Host, steps []plan.Step) []plan.Finding {
	var out []plan.Finding
	for _, s := range steps {
		for _, part := range s.Parts() {
			r := part.Resource
			at := slices.IndexFunc(ran, func(was plan.Ran) bool { return was.Name == r.Name })
			if r.Kind != plan.ResourceContainer || at < 0 {
				continue
			}
			is := now.Find(r.Name)
			if is == nil {
				continue
			}
			if what := fallen(ran[at], is); what != "" {
				out = append(out, plan.Finding{
					Control: StillRunning, Resource: r, Status: plan.Fail,
					Message: what + "; see docker logs " + plainName(is.Name),
				})
			}
		}
	}
	return out
}

func fallen(was plan.Ran, is *inventory.Container) string {
	code := gjson.GetBytes(is.Raw, "State.ExitCode").Int()
	state := is.Inspect.State
	switch {
	case !is.Running() && state.OOMKilled:
		return "it was killed for its memory limit after it was changed"
	case state.Status == "exited" && code != 0:
		return fmt.Sprintf("it exited with code %d after it was changed", code)
	case was.Restarted:
		return ""
	case state.Restarting:
		return fmt.Sprintf("it is in a restart loop since it was changed (last with code %d)", code)
	case is.Inspect.RestartCount > 0:
		return fmt.Sprintf("its restart policy has started it again %d times since it was changed", is.Inspect.RestartCount)
	}
	return ""
}
