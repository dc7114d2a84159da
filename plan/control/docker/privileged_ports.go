package docker

import (
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func privilegedPorts() control.Control {
	return control.Control{
		ID:    "docker/privileged-ports",
		Title: "Only ports that may be are published below 1024",
		Why:   "Spoofing: ports below 1024 belong to services of the host; who answers there is taken for the host.",
		Risk:  "Nothing is changed: clients know the service by its port.",
		Fix:   "By hand: publish another port, or list the port in the profile (allow).",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.7", "cis-docker-1.6.0": "5.8", "cis-docker-1.8.0": "5.8", "stride": "S,E",
		},
		Class:    control.Reported,
		Verified: "ports that are configured and ports that the engine has open now (inspect, NetworkSettings)",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: "allow", Type: profile.TypeList, Default: []string(nil), Doc: "ports of the host below 1024 that the container may have",
		}},
		Container: judgePrivilegedPorts,
	}
}

func judgePrivilegedPorts(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	const first = 1024
	var low []string
	for _, port := range publishedPorts(c) {
		if port.number > 0 && port.number < first && !slices.Contains(p.List("allow"), strconv.Itoa(port.number)) {
			low = append(low, strconv.Itoa(port.number))
		}
	}
	slices.Sort(low)
	low = slices.Compact(low)
	if len(low) == 0 {
		return verdict(plan.Pass, "no port below %d is published that the profile does not allow", first)
	}
	return ask(verdict(plan.Manual, "it has port %s of the host", strings.Join(low, ", ")), "Is it the service that clients of this host expect there?",
		answerContainer(c, "docker/privileged-ports", `allow: ["`+strings.Join(append(low, p.List("allow")...), `", "`)+`"]`))
}
