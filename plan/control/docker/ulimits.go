package docker

import (
	"encoding/json"
	"fmt"

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
		Verified:  "inspect (HostConfig.Ulimits), against the engine's defaults",
		Severity:  plan.RiskLow,
		Container: judgeUlimits,
	}
}

func judgeUlimits(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	defaults := control.DefaultUlimits(h)
	if len(defaults) == 0 {
		return verdict(plan.NotApplicable, "the engine has no default limits to be wider than: see docker/default-ulimits")
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
	if len(wider) == 0 {
		return verdict(plan.Pass, "its limits are no wider than the engine's")
	}
	return ask(verdict(plan.Manual, "its limits are wider than the engine's: %s", list(wider)), "Does it need that much?", answerException(c, "docker/ulimits"))
}

// above compares two limits, of which -1 is none.
func above(limit, usual int64) bool { return usual >= 0 && (limit < 0 || limit > usual) }
