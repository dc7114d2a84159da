package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func dataPartition() control.Control {
	return control.Control{
		ID:    "docker/data-partition",
		Title: "The engine's data is on a file system of its own",
		Why:   "Denial of service: images, logs and what containers write fill the disk; if it is that of the host, the host stops with them.",
		Risk:  "Nothing is changed: data would have to be moved while the engine is stopped.",
		Fix:   "By hand: stop the engine, move its directory to a file system of its own, mount that there and start the engine; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "1.2.1", "cis-docker-1.6.0": "1.1.1", "cis-docker-1.8.0": "1.1.1", "stride": "D",
		},
		Class:    control.Reported,
		Verified: "device numbers of the engine's directory and of the one above it (stat)",
		Severity: plan.RiskLow,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			root := h.DataRoot
			switch {
			case !h.Engine.Local:
				return []plan.Finding{daemonVerdict(plan.Unknown, "the engine's directory is on another machine: run docker-harden there")}
			case root.Problem != "":
				return []plan.Finding{daemonVerdict(plan.Unknown, "the engine's directory could not be looked at: %s", root.Problem)}
			case root.Path == "":
				return []plan.Finding{daemonVerdict(plan.Unknown, "the engine's directory was not looked at")}
			case root.Separate:
				return []plan.Finding{daemonVerdict(plan.Pass, "%s is on a file system of its own", plainName(root.Path))}
			}
			f := daemonVerdict(plan.Fail, "%s is on the same file system as the directory above it", plainName(root.Path))
			return []plan.Finding{reported(f, plan.NeedsReplatform, "data has to be moved while the engine is stopped")}
		},
	}
}
