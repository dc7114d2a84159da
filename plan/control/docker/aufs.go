package docker

import (
	"encoding/json"
	"fmt"

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
		Verified: "GET /info (Driver), beside daemon.json and flags",
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
		return []plan.Finding{reported(f, plan.NeedsReplatform, "images and containers have to be made again under overlay2")}
	}
	key := daemonKey{name: "storage-driver", absent: json.RawMessage(`""`)}
	if conf := key.configured(h); unreadable(h) == "" && string(conf.value) == string(raw(bad)) {
		f.Message = fmt.Sprintf("the storage driver is %s now, but storage-driver is %s (%s): the next start of the engine takes that", driver, conf.value, conf.from)
		f.Evidence = append(f.Evidence, evidence(key.name, conf.from, "%s", conf.value))
		f = reported(f, plan.NeedsPolicy, "take storage-driver out of the engine's configuration, or name the driver that is in use, before the engine starts again")
	}
	return []plan.Finding{f}
}
