package docker

import (
	"fmt"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// unlimitedMemory and more is no limit: the engine's way to write "unlimited" once there was a limit.
const unlimitedMemory = 1 << 62

// restartForLimit is what to do where the kernel does not hold the limit that the engine shows.
const restartForLimit = "the engine believes the limit is set; restart the container, then plan again"

func memoryLimit() control.Control {
	return control.Control{
		ID:    "docker/memory-limit",
		Title: "The container cannot use up the host's memory",
		Why:   "Denial of service: a container without a limit that leaks, or is made to, takes the memory of every other service; the kernel then kills whichever it picks.",
		Risk: "A container that needs more than ever seen is killed by the kernel when it reaches the limit. " +
			"Java, .NET, Node and MongoDB size themselves by the limit at their next start. The limit is never below what was seen in use.",
		Fix: "Memory and MemorySwap by a live update; nothing restarts. Undone by a live update to unlimited: " +
			"the engine cannot unset a limit, so inspect then shows the largest number instead of 0.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.10", "cis-docker-1.6.0": "5.11", "cis-docker-1.8.0": "5.11", "stride": "D",
		},
		Class:     control.Automatic,
		Verified:  "memory.limit_in_bytes or memory.max of its cgroup, beside inspect",
		Severity:  plan.RiskHigh,
		Params:    memoryParams(),
		Container: judgeMemory,
	}
}

func memoryParams() []profile.Param {
	return []profile.Param{
		{Name: "limit", Type: profile.TypeSize, Default: int64(0), Doc: "the limit, instead of one that is computed; 0 computes it"},
		{Name: "swap", Type: profile.TypeChoice, Default: "double", Choices: []string{"double", "none"}, Doc: "double lets it swap as much again, as the engine does by default; none lets it not swap"},
		{Name: "floor", Type: profile.TypeSize, Default: int64(128 * mib), Doc: "no computed limit is below this"},
		{Name: "headroom", Type: profile.TypeSize, Default: int64(100 * mib), Doc: "a computed limit is at least this much above what was seen"},
		{Name: "margin", Type: profile.TypeFloat, Default: 1.15, Min: 1, Max: 10, Doc: "a computed limit is at least this times what was seen"},
		{Name: "samples", Type: profile.TypeInt, Default: int64(10), Min: 1, Max: 1000, Doc: "with fewer samples the largest factor for short observation is used"},
		{Name: "max_confidence", Type: profile.TypeFloat, Default: 3.0, Min: 1, Max: 100, Doc: "the factor, before its square root, for a container that was seen for half a day or less"},
		{Name: "unreclaimable_factor", Type: profile.TypeFloat, Default: 1.1, Min: 1, Max: 10, Doc: "memory that cannot be given back must fit this many times"},
		{Name: "peak_factor", Type: profile.TypeFloat, Default: 4.0, Min: 1, Max: 100, Doc: "the kernel's peak (cgroup v2) counts when it is below this times the working set, because it includes file cache"},
		{Name: "round", Type: profile.TypeSize, Default: int64(16 * mib), Min: 4096, Max: 1 << 40, Doc: "computed limits are multiples of this"},
		{Name: "host_percent", Type: profile.TypeInt, Default: int64(80), Min: 1, Max: 100, Doc: "no computed limit is above this part of the host's memory"},
	}
}

func judgeMemory(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	configured := limited(c.Inspect.HostConfig.Memory)
	switch {
	case !h.Engine.MemoryLimit:
		return verdict(plan.NotApplicable, "this kernel cannot limit memory")
	case running(c) && (c.Proc == nil || c.Proc.MemoryLimit == nil):
		return verdict(plan.Unknown, "the limit in its cgroup could not be read: %s", unseenReason(c))
	case configured && h.Engine.MemTotal > 0 && c.Inspect.HostConfig.Memory >= h.Engine.MemTotal && p.Int("limit") == 0:
		return ask(verdict(plan.Fail, "its limit of %s is not below the host's memory, %s", size(c.Inspect.HostConfig.Memory), size(h.Engine.MemTotal)),
			"How much may it use?", answerContainer(c, "docker/memory-limit", "limit: "+size(roundDown(h.Engine.MemTotal/2, mib))))
	case configured && h.Engine.MemTotal > 0 && c.Inspect.HostConfig.Memory >= h.Engine.MemTotal:
		return limitMemory(h, c, p, verdict(plan.Fail, "its limit of %s is not below the host's memory, %s", size(c.Inspect.HostConfig.Memory), size(h.Engine.MemTotal)))
	case !running(c) && configured:
		return verdict(plan.Pass, "memory is limited to %s"+notRunning, size(c.Inspect.HostConfig.Memory))
	case !running(c):
		return limitMemory(h, c, p, verdict(plan.Fail, "memory is not limited"+notRunning))
	}
	kernel := *c.Proc.MemoryLimit
	held := kernel >= 0 && limited(kernel)
	proof := evidence("limit", sourceCgroup, "%s", kernelLimit(kernel))
	var f plan.Finding
	switch {
	case configured && held && kernel > c.Inspect.HostConfig.Memory:
		f = verdict(plan.Fail, "a limit of %s is configured but not in effect: the kernel has %s", size(c.Inspect.HostConfig.Memory), size(kernel))
		f.Blocked = restartForLimit
	case configured && held:
		f = verdict(plan.Pass, "memory is limited to %s", size(kernel))
	case configured:
		f = verdict(plan.Fail, "a limit of %s is configured but not in effect: the kernel has none", size(c.Inspect.HostConfig.Memory))
		f.Blocked = restartForLimit
	case held:
		f = limitMemory(h, c, p, verdict(plan.Fail, "the kernel limits memory to %s now, but the container is not configured so: it is lost at its next start", size(kernel)))
	default:
		f = limitMemory(h, c, p, verdict(plan.Fail, "memory is not limited"))
	}
	f.Evidence = append([]plan.Evidence{proof}, f.Evidence...)
	return f
}

// limited reports whether a number of bytes is a limit. 0 and the engine's largest number are none.
func limited(v int64) bool { return v > 0 && v < unlimitedMemory }

func kernelLimit(v int64) string {
	if v < 0 || !limited(v) {
		return "unlimited"
	}
	return size(v)
}

// limitMemory adds the change that limits a container: by the profile's number, else by what was seen.
func limitMemory(h *inventory.Host, c *inventory.Container, p profile.Params, f plan.Finding) plan.Finding {
	limit := p.Int("limit")
	var choice memoryChoice
	if c.Usage != nil {
		choice = chooseMemory(newMemoryRule(p), newMemoryInput(h, c))
		f.Evidence = append(f.Evidence, memoryEvidence(c)...)
	}
	switch {
	case limit > 0 && limit < max(choice.Least, c.Inspect.HostConfig.MemoryReservation, minEngineLimit):
		f.Blocked = fmt.Sprintf("the profile's limit of %s is below what it needs, %s (what it uses and cannot give back, its reservation, and the engine's least)",
			size(limit), size(max(choice.Least, c.Inspect.HostConfig.MemoryReservation, minEngineLimit)))
		return f
	case limit > 0:
		f.Notes = append(f.Notes, fmt.Sprintf("limit %s: given by the profile", size(limit)))
	case c.Usage == nil:
		return askMemory(c, f, "it was not seen in use: "+usageReason(c))
	case choice.Limit == 0:
		return askMemory(c, f, choice.Reason)
	default:
		limit = choice.Limit
		f.Notes = append(f.Notes, fmt.Sprintf("limit %s = %s", size(limit), choice.Formula))
	}
	f.Changes = memoryChanges(h, c, limit, p.Text("swap"))
	return riskMemory(c, f)
}

func askMemory(c *inventory.Container, f plan.Finding, reason string) plan.Finding {
	return ask(f, "How much memory may it use? A limit could not be computed: "+reason+".", answerContainer(c, "docker/memory-limit", "limit: SIZE"))
}

func usageReason(c *inventory.Container) string {
	switch {
	case c.UsageProblem != "":
		return c.UsageProblem
	case !running(c):
		return "it does not run"
	}
	return "reason not recorded"
}

func memoryEvidence(c *inventory.Container) []plan.Evidence {
	u := c.Usage
	source := fmt.Sprintf("cgroup, %d samples in %s, up %s", u.Samples, span(u.Window), span(u.Uptime))
	out := []plan.Evidence{
		evidence("working set", source, "%s", size(u.WorkingSet)),
		evidence("cannot be given back", source, "%s", size(u.Unreclaimable)),
	}
	if u.Swap > 0 {
		out = append(out, evidence("swapped out", source, "%s", size(u.Swap)))
	}
	if u.Peak > 0 {
		out = append(out, evidence("peak with file cache", sourceCgroup, "%s", size(u.Peak)))
	}
	if u.OOMKills > 0 {
		out = append(out, evidence("killed for lack of memory", sourceCgroup, "%d", u.OOMKills))
	}
	return out
}

// lifted begins what an undo leaves of a limit.
const lifted = "the limit cannot be unset through the API: the kernel is unlimited again, inspect shows "

// memoryChanges sets the limit and the limit with swap together: the engine refuses one alone.
func memoryChanges(h *inventory.Host, c *inventory.Container, limit int64, swap string) []plan.Change {
	hc := &c.Inspect.HostConfig
	withSwap := 2 * limit
	switch {
	case !h.Engine.SwapLimit:
		withSwap = -1 // what the engine makes of every number where the kernel cannot limit swap
	case swap == "none":
		withSwap = limit
	}
	note, noteSwap := lifted+"the engine's largest number", lifted+"-1"
	if hc.Memory != 0 {
		note, noteSwap = "", ""
	}
	return differing(updateChange("Memory", hc.Memory, limit, note), updateChange("MemorySwap", hc.MemorySwap, withSwap, noteSwap))
}

// selfSizing are programs that take a part of the limit as their heap when they start.
var selfSizing = []string{"java", "dotnet", "mongod", "node"}

func riskMemory(c *inventory.Container, f plan.Finding) plan.Finding {
	if c.Usage != nil && c.Usage.OOMKills > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "the kernel has killed processes of it for lack of memory before")
	}
	if c.Proc == nil {
		return f
	}
	sizing := which(c, func(p inventory.Process) bool { return slices.Contains(selfSizing, p.Name) })
	if len(sizing) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, fmt.Sprintf("%s sizes its memory by the limit when it starts the next time: give it an explicit heap or limit", named(sizing)))
	}
	return f
}
