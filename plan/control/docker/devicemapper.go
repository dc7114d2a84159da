package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func devicemapper() control.Control {
	return control.Control{
		ID:    "docker/devicemapper",
		Title: "The storage driver is not devicemapper",
		Why:   "Denial of service: devicemapper fills up without a warning and takes every container with it; the engine no longer has it since version 25.",
		Risk:  "Nothing is changed: with another storage driver all images, containers and what they wrote seem to be gone.",
		Fix:   "By hand: save what is in containers, set storage-driver to overlay2, restart the engine, and make images and containers again.",
		Refs: map[string]string{
			"cis-docker-1.8.0": "2.7", "stride": "D",
		},
		Class:    control.Reported,
		Verified: "GET /info (Driver), beside daemon.json and flags",
		Severity: plan.RiskMedium,
		Host:     func(h *inventory.Host, _ profile.Params) []plan.Finding { return judgeStorageDriver(h, "devicemapper") },
	}
}
