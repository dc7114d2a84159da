package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/secret"
)

func secretsInContainers(d *secret.Detector) control.Control {
	return control.Control{
		ID:    "docker/secrets-in-containers",
		Title: "Containers get no credentials through environment, labels and command lines",
		Why:   "Information disclosure: everybody who may inspect the container reads them, and so does every process in it, each crash report and each log of the environment.",
		Risk:  "Nothing is changed: how a service wants to get a credential is its own.",
		Fix:   "By hand: give the container a file with the credential, readable by its user alone (many images take NAME_FILE in place of NAME, Compose and Swarm have secrets), and replace the credential where it is valid. Accept what is no secret with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.10", "cis-docker-1.6.0": "4.10", "cis-docker-1.8.0": "4.10", "stride": "I",
		},
		Class:    control.Reported,
		Verified: "environment, labels and command lines that the container has beyond those of its image (inspect)",
		Severity: plan.RiskHigh,
		Container: func(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
			finds := h.Credentials(c, d)
			switch {
			case finds == nil:
				return maskedBefore()
			case len(finds) > 0:
				return reported(leaked(finds, "the container", "inspect"), plan.NeedsPolicy,
					"give the container a file with the credential instead, for example by NAME_FILE where its image takes that")
			}
			return verdict(plan.Pass, "nothing that it was given looks like a credential")
		},
	}
}
