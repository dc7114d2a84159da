package control

import (
	"fmt"
	"time"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// StillRunning stands in the place of a control in the findings of [Fallen].
const StillRunning = "still-running"

// Fallen are the containers of steps that ended with an error, or end again and again, since a point in
// time. The gate of a step watches a container for some seconds only, and one that ended has every
// setting it should have: no control would say so. One that ended well has done its work.
func Fallen(h *inventory.Host, steps []plan.Step, since time.Time) []plan.Finding {
	var out []plan.Finding
	for _, s := range steps {
		for _, part := range s.Parts() {
			if part.Resource.Kind != plan.ResourceContainer {
				continue
			}
			if what := fallen(h.Find(part.Resource.Name), since); what != "" {
				out = append(out, plan.Finding{Control: StillRunning, Resource: part.Resource, Status: plan.Fail, Message: what})
			}
		}
	}
	return out
}

func fallen(c *inventory.Container, since time.Time) string {
	if c == nil {
		return "" // controls say that it cannot be looked at
	}
	state := gjson.ParseBytes(c.Raw).Get("State")
	ended, err := time.Parse(time.RFC3339Nano, state.Get("FinishedAt").String())
	// A restart policy that brought it back hides the end, not the number of starts: a recreate begins at none.
	if err != nil || ended.Before(since) {
		return ""
	}
	code := state.Get("ExitCode").Int()
	switch status := c.Inspect.State.Status; {
	case status == "restarting":
		return fmt.Sprintf("it is in a restart loop since it was changed (last with code %d); see docker logs %s", code, plainName(c.Name))
	case !c.Running() && c.Inspect.State.OOMKilled:
		return fmt.Sprintf("it was killed for its memory limit after it was changed; see docker logs %s", plainName(c.Name))
	case status == "exited" && code != 0:
		return fmt.Sprintf("it exited with code %d after it was changed; see docker logs %s", code, plainName(c.Name))
	}
	return ""
}
