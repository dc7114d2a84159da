package docker

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func swapLimit() control.Control {
	return control.Control{
		ID:    "docker/swap-limit",
		Title: "A limit of swap is held by the kernel",
		Why:   "Denial of service and information disclosure: a container that may not swap and does slows every other service down, and its memory ends up on disk.",
		Risk:  "Nothing is changed. Held again, the limit lets the kernel kill what has grown above it by swapping.",
		Fix: "By hand: docker update with the same numbers, or a restart of the container, brings it back. On cgroup v2 the next systemctl daemon-reload lifts a limit of no swap again where runc does not tell systemd of it (1.1.5 does not); " +
			"swap: double of docker/memory-limit is a limit that systemd knows.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.10", "cis-docker-1.6.0": "5.11", "cis-docker-1.8.0": "5.11", "stride": "D,I",
		},
		Class:     control.Reported,
		Verified:  "memory.memsw.limit_in_bytes, or memory.max and memory.swap.max, of its cgroup, beside inspect",
		Severity:  plan.RiskMedium,
		Container: judgeSwap,
	}
}

func judgeSwap(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	memory, both := c.Inspect.HostConfig.Memory, c.Inspect.HostConfig.MemorySwap
	switch {
	case !h.Engine.MemoryLimit || !h.Engine.SwapLimit:
		return verdict(plan.NotApplicable, "this kernel cannot limit swap")
	case !limited(memory):
		return verdict(plan.NotApplicable, "no limit of memory is configured, see docker/memory-limit")
	case !limited(both):
		return verdict(plan.NotApplicable, "it is configured to swap without a limit")
	}
	is := fmt.Sprintf("it may swap %s", size(both-memory))
	if both <= memory {
		is = "it may not swap"
	}
	switch {
	case !running(c):
		return verdict(plan.Pass, is+notRunning)
	case c.Proc == nil:
		return unseen(c)
	case c.Proc.MemorySwapLimit == nil:
		return verdict(plan.Unknown, "the limit of swap in its cgroup could not be read")
	}
	kernel := *c.Proc.MemorySwapLimit
	f := verdict(plan.Pass, is)
	f.Evidence = []plan.Evidence{
		evidence("limit of memory and swap", sourceCgroup, "%s", kernelLimit(kernel)),
		evidence("configured", sourceInspect, "%s", size(both)),
	}
	const page = 64 << 10 // the kernel rounds down to its own
	switch {
	case kernel >= 0 && limited(kernel) && kernel < both-page:
		f.Message = fmt.Sprintf("the kernel holds it to %s of memory and swap now, less than is configured: its next start gives it %s", size(kernel), size(both))
		return f
	case kernel >= 0 && kernel <= both:
		return f
	}
	f.Status = plan.Fail
	f.Message = fmt.Sprintf("a limit of swap is configured but not in effect: %s, but the kernel's limit of memory and swap is %s", is, kernelLimit(kernel))
	f.Blocked = fmt.Sprintf("bring it back with docker update --memory %d --memory-swap %d %s, or restart the container", memory, both, plainName(c.Name))
	if h.Engine.CgroupVersion == "2" && both <= memory {
		f.Blocked += "; the next systemctl daemon-reload may lift it again, where the runtime does not tell systemd of it"
	}
	return f
}
