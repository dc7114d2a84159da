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
		Risk:  "What reads the variable from the environment without the start script of its image (docker exec, an exporter, a script of one's own) finds it no more.",
		Fix: "As the profile answers, variable by variable, where the start script of the image is seen to read NAME_FILE as root: a new container has NAME_FILE=/run/secrets/NAME " +
			"in place of NAME, and the value in a file that root alone may read, mounted read-only; the old one is kept. Everything else by hand: give the container a file that its user " +
			"alone may read (Compose and Swarm have secrets). Replace the credential where it is valid. Accept what is no secret with an exception. " +
			"Undone by the old container; the file goes, unless a container mounts it.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.10", "cis-docker-1.6.0": "4.10", "cis-docker-1.8.0": "4.10", "stride": "I",
		},
		Class:    control.Answer,
		Verified: "environment, labels and command lines that the container has beyond those of its image (inspect); the text of its start script; owner and mode of a file that took a value (stat)",
		Severity: plan.RiskHigh,
		Params: []profile.Param{{
			Name: fileNames, Type: profile.TypeList, Default: []string(nil),
			Doc: "variables that look like credentials and move into files: the start script reads them by NAME_FILE",
		}},
		Container: func(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
			return judgeCredentials(h, c, d, p)
		},
	}
}
