package docker

import (
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func defaultBridge() control.Control {
	return control.Control{
		ID:    "docker/default-bridge",
		Title: "The container is not on the default network",
		Why:   "Information disclosure and spoofing: on the default bridge every container reaches every other one, and none is known by a name.",
		Risk:  "Nothing is changed: other containers may reach it by its address or a link.",
		Fix:   "By hand: make a network for the containers that belong together and connect them; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.29", "cis-docker-1.6.0": "5.30", "cis-docker-1.8.0": "5.30", "stride": "I,S",
		},
		Class:     control.Reported,
		Verified:  "networks that the engine shows it on (inspect, NetworkSettings)",
		Severity:  plan.RiskLow,
		Container: judgeDefaultBridge,
	}
}

func judgeDefaultBridge(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	_, on := c.Inspect.NetworkSettings.Networks["bridge"]
	switch mode := c.Inspect.HostConfig.NetworkMode; {
	case on, !running(c) && (mode == "default" || mode == "bridge"):
		return ask(verdict(plan.Manual, "it is on the default network"), "Which containers does it talk to? Give these a network of their own (docker network create, connect, then disconnect bridge: it runs on).",
			answerException(c, "docker/default-bridge"))
	case strings.HasPrefix(mode, "container:"):
		return verdict(plan.NotApplicable, "it shares the network of another container")
	}
	return verdict(plan.Pass, "it is not on the default network")
}
