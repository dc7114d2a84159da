package docker

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const onFailure = "on-failure"

func restartPolicy() control.Control {
	return control.Control{
		ID:    "docker/restart-policy",
		Title: "A container that keeps failing is not started for ever",
		Why:   "Denial of service: a container that fails and is started again without end takes processor time and log space, and hides that it is broken or attacked.",
		Risk: "Under on-failure a container that ended orderly is not started again after a reboot or an engine restart, as always and unless-stopped would: " +
			"these two are therefore only changed when the profile says so.",
		Fix: "RestartPolicy on-failure with a number of retries, by a live update; nothing restarts. Undone by a live update to the old policy.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.14", "cis-docker-1.6.0": "5.15", "cis-docker-1.8.0": "5.15", "stride": "D",
		},
		Class:    control.Automatic,
		Verified: "the policy that the engine follows (inspect, HostConfig.RestartPolicy)",
		Severity: plan.RiskLow,
		Params: []profile.Param{
			{Name: "retries", Type: profile.TypeInt, Default: int64(5), Min: 1, Max: 1000, Doc: "the most retries on-failure may have"},
			{Name: "policy", Type: profile.TypeChoice, Default: "ask", Choices: []string{"ask", "keep", onFailure}, Doc: "what becomes of always and unless-stopped: asked about, kept, or changed to on-failure"},
		},
		Container: judgeRestartPolicy,
	}
}

// policyValue is a restart policy as the engine writes it.
type policyValue struct {
	Name              string `json:"Name"`
	MaximumRetryCount int    `json:"MaximumRetryCount"`
}

func judgeRestartPolicy(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	policy := policyValue(c.Inspect.HostConfig.RestartPolicy)
	retries := int(p.Int("retries"))
	change := []plan.Change{updateChange("RestartPolicy", policy, policyValue{onFailure, retries}, "")}
	const lost = "after a reboot or an engine restart it is not started again if it ended orderly"
	switch policy.Name {
	case "", "no":
		return verdict(plan.Pass, "it is not started again when it ends")
	case onFailure:
		if policy.MaximumRetryCount > 0 && policy.MaximumRetryCount <= retries {
			return verdict(plan.Pass, "it is started again %d times at most", policy.MaximumRetryCount)
		}
		f := verdict(plan.Fail, "it is started again without end when it fails")
		if policy.MaximumRetryCount > 0 {
			f.Message = fmt.Sprintf("it is started again up to %d times when it fails", policy.MaximumRetryCount)
		}
		f.Changes = change
		return f
	}
	f := verdict(plan.Fail, "it is started again without end (%s)", plainName(policy.Name))
	switch p.Text("policy") {
	case "keep":
		f.Status = plan.Pass
		f.Message += ", which the profile keeps"
	case onFailure:
		f.Changes = change
		f.Risk = f.Risk.Raise(plan.RiskMedium, lost)
	default:
		return ask(f, fmt.Sprintf("Must it be up after every reboot? With %s: %s; keep leaves it as it is.", onFailure, lost),
			answerContainer(c, "docker/restart-policy", "policy: keep"))
	}
	return f
}
