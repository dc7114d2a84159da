package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/secret"
)

const healthcheckID = "docker/healthcheck"

func healthcheck() control.Control {
	d := secret.New()
	return control.Control{
		ID:    healthcheckID,
		Title: "Whether the service works is checked all the time",
		Why:   "Denial of service: a container whose service hangs runs on, and nobody is told.",
		Risk: "The check runs in the container all the time, as its user and within its limits, and needs a program that is there (a shell, unless it is a list). Others may act on the verdict: " +
			"a proxy that leaves out what is unhealthy, Compose services that wait for it, tools that restart it.",
		Fix: "Best in the image: a HEALTHCHECK. With test, a new container is checked by this command; the old one is kept. The new one must become healthy, or the old container comes back, and the check's own output is the reason. " +
			"Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.26", "cis-docker-1.6.0": "5.27", "cis-docker-1.8.0": "5.27", "stride": "D",
		},
		Class:    control.Answer,
		Verified: "results that the engine has (inspect, State.Health)",
		Severity: plan.RiskLow,
		Params: []profile.Param{
			{Name: "test", Type: profile.TypeText, Default: "", Doc: `the command that checks a container without a check, as after CMD in a HEALTHCHECK: a line for its shell, or program and arguments as a JSON list ('["/bin/ready", "-q"]'); it fails when it does not end with 0`},
			{Name: "interval", Type: profile.TypeText, Default: "30s", Doc: "time between two checks, 1s to 2m"},
			{Name: "timeout", Type: profile.TypeText, Default: "30s", Doc: "how long one check may take, 1s to 2m"},
			{Name: "retries", Type: profile.TypeInt, Default: int64(3), Min: 1, Max: 100, Doc: "how many checks in a row must fail"},
			{Name: "start_period", Type: profile.TypeText, Default: "", Doc: "how long after the start a failure does not count, up to 1h"},
		},
		Container: func(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
			return judgeHealthcheck(h, c, p, d)
		},
	}
}

func judgeHealthcheck(h *inventory.Host, c *inventory.Container, p profile.Params, d *secret.Detector) plan.Finding {
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
	}
	f := reported(verdict(plan.Fail, "nothing checks it"), plan.NeedsImageRebuild, "give the image a HEALTHCHECK, or name a check.%s", suggestedCheck(c))
	if check != nil && len(check.Test) > 0 {
		f = reported(verdict(plan.Fail, "its check is turned off"), plan.NeedsPolicy, "run it without --no-healthcheck, or name a check.%s", suggestedCheck(c))
	}
	if p.Text("test") == "" {
		return f
	}
	return checked(h, c, p, d, f)
}
