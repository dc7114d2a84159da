package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func ownUlimits() control.Control {
	return control.Control{
		ID:    "docker/ulimits",
		Title: "Limits of the container are no wider than those of the engine",
		Why:   "Denial of service: a container with wider limits than all others takes files and processes from them.",
		Risk:  "Nothing is changed: only who runs the service knows what it needs.",
		Fix:   "By hand: give it the limits it needs (--ulimit), or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.18", "cis-docker-1.6.0": "5.19", "cis-docker-1.8.0": "5.19", "stride": "D",
		},
		Class:     control.Reported,
		Verified:  "limits of its first process (/proc/PID/limits), beside inspect (HostConfig.Ulimits) and the engine's defaults",
		Severity:  plan.RiskLow,
		Container: judgeUlimits,
	}
}

func judgeUlimits(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	defaults := control.DefaultUlimits(h)
	if len(defaults) == 0 {
		return verdict(plan.NotApplicable, "the engine has no default limits to be wider than: see docker/default-ulimits")
	}
	if running(c) && c.Proc == nil {
		return unseen(c)
	}
	var own []control.Ulimit
	if err := json.Unmarshal(c.Made().Ulimits, &own); err != nil {
		return verdict(plan.Unknown, "its limits could not be read")
	}
	var wider []string
	for _, u := range own {
		if usual, ok := defaults[u.Name]; ok && (above(u.Hard, usual.Hard) || above(u.Soft, usual.Soft)) {
			wider = append(wider, fmt.Sprintf("%s %d:%d (engine %d:%d)", plainName(u.Name), u.Soft, u.Hard, usual.Soft, usual.Hard))
		}
	}
	held, proof := heldWider(c, defaults)
	var f plan.Finding
	switch {
	case len(wider) > 0:
		f = ask(verdict(plan.Manual, "its limits are wider than the engine's: %s", list(wider)), "Does it need that much?", answerException(c, "docker/ulimits"))
	case len(held) > 0:
		f = verdict(plan.Fail, "its limits are configured no wider than the engine's, and that is not in effect: it has %s", list(held))
		f.Blocked = "it was started with other limits; restart the container, then plan again"
	case running(c):
		f = verdict(plan.Pass, "its limits are no wider than the engine's")
	default:
		f = verdict(plan.Pass, "its limits are no wider than the engine's"+notRunning)
	}
	f.Evidence = proof
	return f
}

// heldWider are the limits of a container's first process that are wider than the engine's. Only hard ones count: a
// process may raise its soft ones up to these by itself.
func heldWider(c *inventory.Container, defaults map[string]control.Ulimit) (wider []string, proof []plan.Evidence) {
	if c.Proc == nil {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.Proc.Ulimits)) {
		held := c.Proc.Ulimits[name]
		proof = append(proof, evidence(name, "/proc/PID/limits", "%s", held))
		_, text, _ := strings.Cut(held, ":")
		hard, err := strconv.ParseInt(text, 10, 64)
		if usual, ok := defaults[name]; ok && err == nil && above(hard, usual.Hard) {
			wider = append(wider, fmt.Sprintf("%s %s (engine %d:%d)", plainName(name), held, usual.Soft, usual.Hard))
		}
	}
	return wider, proof
}

// above compares two limits, of which -1 is none.
func above(limit, usual int64) bool { return usual >= 0 && (limit < 0 || limit > usual) }
