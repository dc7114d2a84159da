package docker

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func daemonJSONOwner() control.Control {
	return control.Control{
		ID:    "docker/daemon-json-owner",
		Title: "daemon.json belongs to root",
		Why:   "Tampering and elevation of privilege: who may write daemon.json decides how the engine runs at its next start, and so is root on the host.",
		Risk:  "A deployment tool that edits the file as another user can no longer do so.",
		Fix:   "chown root:root of the file itself, not of a link to it. Undone by the old owner.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "3.17", "cis-docker-1.6.0": "3.17", "cis-docker-1.8.0": "3.17", "stride": "T,E",
		},
		Severity: plan.RiskHigh,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			file, verdict, ok := daemonJSON(h)
			if !ok {
				return []plan.Finding{verdict}
			}
			owner := fmt.Sprintf("%d:%d", file.UID, file.GID)
			f := fileFinding(file, "owner", owner, "it belongs to "+owner)
			if file.UID == 0 && file.GID == 0 {
				f.Status = plan.Pass
				return []plan.Finding{f}
			}
			f.Changes = []plan.Change{fileChange("owner", owner, "0:0")}
			return []plan.Finding{f}
		},
	}
}

// daemonJSON is the file in force, links followed; else the verdict without it.
func daemonJSON(h *inventory.Host) (inventory.File, plan.Finding, bool) {
	if other, ok := otherProduct(h); ok {
		return inventory.File{}, other, false
	}
	path := h.Daemon.Resolved
	if path == "" {
		path = h.Daemon.ConfigPath
	}
	without := func(s plan.Status, message string) (inventory.File, plan.Finding, bool) {
		return inventory.File{}, plan.Finding{Resource: plan.Daemon(), Status: s, Message: message}, false
	}
	if !h.Engine.Local {
		return without(plan.Unknown, "daemon.json is on another machine: run docker-harden there")
	}
	if h.Engine.Rootless {
		return without(plan.NotApplicable, "the engine is rootless: daemon.json belongs to its user")
	}
	file, ok := h.Files[path]
	if !ok {
		file = h.Daemon.Config
	}
	file.Path = path
	if !file.Exists {
		for _, problem := range h.Problems {
			if problem.Subject == path || problem.Subject == h.Daemon.ConfigPath {
				return without(plan.Unknown, path+" could not be looked at: "+problem.Reason)
			}
		}
		return without(plan.NotApplicable, "there is no daemon.json; one made by apply belongs to root and has mode 0644")
	}
	return file, plan.Finding{}, true
}

func fileFinding(file inventory.File, name, value, message string) plan.Finding {
	return plan.Finding{
		Resource: plan.File(file.Path), Status: plan.Fail, Message: message,
		Evidence: []plan.Evidence{evidence(name, "stat", "%s", value)},
	}
}

func fileChange(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: raw(from), To: raw(to), Kind: plan.KindFile, Reversibility: plan.Exact}
}
