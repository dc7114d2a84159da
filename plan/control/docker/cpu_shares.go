package docker

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// normalShares is the kernel's own weight; a container that has it is not weighed at all.
const normalShares = 1024

// unweighedShares are what runc before 1.3.2 turns into the weight 100 that a group of cgroup v2 has by
// itself; an undo sets them there, because shares cannot be unset.
const unweighedShares = 2598

func cpuShares() control.Control {
	return control.Control{
		ID:    "docker/cpu-shares",
		Title: "The container has a weight or limit for processor time",
		Why:   "Denial of service: a container that computes without end slows every other service down; with a weight below the host's own, the host and its administrator come first.",
		Risk:  "Only when the processors are busy does the container get less than before. A limit (NanoCpus, CpuQuota) that is set is left alone.",
		Fix:   "CpuShares by a live update; nothing restarts. Undone by a live update to the kernel's normal weight; inspect then shows 1024 instead of 0 (2598 on cgroup v2 with runc before 1.3.2).",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.11", "cis-docker-1.6.0": "5.12", "cis-docker-1.8.0": "5.12", "stride": "D",
		},
		Class:    control.Automatic,
		Verified: "cpu.shares or cpu.weight of its cgroup, beside inspect",
		Severity: plan.RiskLow,
		Params: []profile.Param{
			{Name: "shares", Type: profile.TypeInt, Default: int64(512), Min: 2, Max: 262144, Doc: "the weight; the kernel's normal one is 1024"},
		},
		Container: judgeCPUShares,
	}
}

func judgeCPUShares(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	hc := &c.Inspect.HostConfig
	if hc.NanoCPUs != 0 || hc.CPUQuota > 0 {
		return verdict(plan.Pass, "processor time is limited")
	}
	if !h.Engine.CPUShares {
		return verdict(plan.NotApplicable, "this kernel cannot weigh processor time")
	}
	var kernel *int64
	if running(c) {
		if c.Proc == nil || c.Proc.CPUShares == nil {
			return verdict(plan.Unknown, "the weight in its cgroup could not be read: %s", unseenReason(c))
		}
		kernel = c.Proc.CPUShares
	}
	f := plan.Finding{}
	if kernel != nil {
		f.Evidence = []plan.Evidence{evidence("shares", sourceCgroup, "%d", *kernel)}
	}
	unified := h.Engine.CgroupVersion == "2"
	weighed := hc.CPUShares != 0 && hc.CPUShares != normalShares
	configured := weighed && !(unified && hc.CPUShares == unweighedShares && (kernel == nil || *kernel == normalShares))
	switch {
	// On cgroup v2 the kernel holds a weight that does not convert back exactly.
	case configured && kernel != nil && !unified && *kernel == normalShares:
		f.Status, f.Blocked = plan.Fail, "the engine believes the weight is set; restart the container, then plan again"
		f.Message = verdict(plan.Fail, "shares of %d are configured but not in effect", hc.CPUShares).Message
		return f
	case configured:
		f.Status, f.Message = plan.Pass, verdict(plan.Pass, "its weight is %d shares", hc.CPUShares).Message
	default:
		f.Status, f.Message = plan.Fail, "it has neither a weight nor a limit for processor time"
		note := "shares cannot be unset through the API: the kernel has its normal weight again, inspect shows 1024"
		switch {
		case hc.CPUShares != 0:
			note = ""
		case unified:
			note += fmt.Sprintf(" or %d, of whichever the runtime makes that weight", unweighedShares)
		}
		f.Changes = differing(updateChange("CpuShares", hc.CPUShares, p.Int("shares"), note))
		if len(f.Changes) == 0 { // the profile wants exactly the kernel's normal weight
			f.Status, f.Message = plan.Pass, "its weight is the one the profile wants"
		}
	}
	if !running(c) {
		f.Message += notRunning
	}
	return f
}
