package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func aufs() control.Control {
	return control.Control{
		ID:    "docker/aufs",
		Title: "The storage driver is not aufs",
		Why:   "Denial of service and tampering: aufs is outside of the kernel, gets no security fixes with it, and is known to crash it.",
		Risk:  "Nothing is changed: with another storage driver all images, containers and what they wrote seem to be gone.",
		Fix:   "By hand: save what is in containers, set storage-driver to overlay2, restart the engine, and make images and containers again.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.5", "cis-docker-1.6.0": "2.6", "cis-docker-1.8.0": "2.6", "stride": "D,T",
		},
		Class:    control.Reported,
		Verified: "GET /info (Driver)",
		Severity: plan.RiskMedium,
		Host:     func(h *inventory.Host, _ profile.Params) []plan.Finding { return judgeStorageDriver(h, "aufs") },
	}
}

// judgeStorageDriver wants another storage driver than the one named.
func judgeStorageDriver(h *inventory.Host, bad string) []plan.Finding {
	driver := h.Engine.StorageDriver
	if driver == "" {
		return []plan.Finding{daemonVerdict(plan.Unknown, "the engine does not name its storage driver")}
	}
	f := daemonVerdict(plan.Pass, "the storage driver is %s", driver)
	f.Evidence = []plan.Evidence{evidence("storage driver", sourceInfo, "%s", driver)}
	if driver == bad {
		f = reported(f, plan.NeedsReplatform, "images and containers have to be made again under overlay2")
	}
	return []plan.Finding{f}
}
