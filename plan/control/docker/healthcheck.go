package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func healthcheck() control.Control {
	return control.Control{
		ID:    "docker/healthcheck",
		Title: "Whether the service works is checked all the time",
		Why:   "Denial of service: a container whose service hangs runs on, and nobody is told.",
		Risk:  "Nothing is changed: what a check has to ask is the service's own matter.",
		Fix:   "By hand: give the image a HEALTHCHECK or the container --health-cmd; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.26", "cis-docker-1.6.0": "5.27", "cis-docker-1.8.0": "5.27", "stride": "D",
		},
		Class:     control.Reported,
		Verified:  "results that the engine has (inspect, State.Health)",
		Severity:  plan.RiskLow,
		Container: judgeHealthcheck,
	}
}

func judgeHealthcheck(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	const off = "NONE"
	check := c.Inspect.Config.Healthcheck
	has := check != nil && len(check.Test) > 0 && check.Test[0] != off
	switch {
	case has && c.Inspect.State.Health != nil:
		f := verdict(plan.Pass, "it is checked")
		f.Evidence = []plan.Evidence{evidence("health", sourceInspect, "%s", plainName(c.Inspect.State.Health.Status))}
		return f
	case has && running(c):
		return verdict(plan.Unknown, "a check is configured, and the engine says nothing of its result")
	case has:
		return verdict(plan.Pass, "a check is configured"+notRunning)
	case check != nil && len(check.Test) > 0:
		return reported(verdict(plan.Fail, "its check is turned off"), plan.NeedsPolicy, "run it without --no-healthcheck, or with a check of its own")
	}
	return reported(verdict(plan.Fail, "nothing checks it"), plan.NeedsImageRebuild, "give the image a HEALTHCHECK, or the container --health-cmd")
}
