package docker

import (
	"encoding/json"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func baseDeviceSize() control.Control {
	return control.Control{
		ID:    "docker/base-device-size",
		Title: "The size of a container's disk is not raised for all of them",
		Why:   "Denial of service: dm.basesize gives every container a larger disk at once, and a few that fill theirs fill the host's pool.",
		Risk:  "Nothing is changed: it is an option of devicemapper, which itself should go.",
		Fix:   "By hand: take dm.basesize out of storage-opts and restart the engine; existing images keep their size.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.10", "cis-docker-1.6.0": "2.11", "cis-docker-1.8.0": "2.12", "stride": "D",
		},
		Class:    control.Reported,
		Verified: "daemon.json and flags, as the engine last read them",
		Severity: plan.RiskLow,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			f := judgeKey(h, daemonKey{
				name: "storage-opts", absent: json.RawMessage("[]"), kind: plan.KindRestart,
				good: func(v json.RawMessage) bool {
					return !slices.ContainsFunc(texts(v), func(o string) bool { return strings.HasPrefix(o, "dm.basesize=") })
				},
			})
			if f.Status == plan.Fail {
				f = reported(f, plan.NeedsReplatform, "take dm.basesize out of storage-opts and make images and containers again")
			}
			return []plan.Finding{f}
		},
	}
}
