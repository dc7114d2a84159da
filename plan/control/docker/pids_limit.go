package docker

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func pidsLimit() control.Control {
	return control.Control{
		ID:    "docker/pids-limit",
		Title: "The container cannot use up the host's process ids",
		Why:   "Denial of service: one fork bomb in one container keeps every other service, and the administrator, from starting a process.",
		Risk:  "A service that starts more processes and threads than four times what was seen cannot start the rest, and says so in its log.",
		Fix: "PidsLimit by a live update; nothing restarts. Undone by a live update to unlimited; " +
			"inspect then shows 0 instead of null where there was nothing before.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.28", "cis-docker-1.6.0": "5.29", "cis-docker-1.8.0": "5.29", "stride": "D",
		},
		Class:    control.Automatic,
		Verified: "pids.max of its cgroup, beside inspect",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			{Name: "limit", Type: profile.TypeInt, Default: int64(0), Min: 0, Max: 4194304, Doc: "the limit, instead of one that is computed; 0 computes it"},
			{Name: "factor", Type: profile.TypeInt, Default: int64(4), Min: 1, Max: 1000, Doc: "a computed limit is this times what was seen"},
			{Name: "floor", Type: profile.TypeInt, Default: int64(256), Min: 1, Max: 4194304, Doc: "no computed limit is below this"},
		},
		Container: judgePids,
	}
}

func judgePids(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	limit := c.Inspect.HostConfig.PidsLimit
	configured := limit != nil && *limit > 0
	switch {
	case !h.Engine.PidsLimit:
		return verdict(plan.NotApplicable, "this kernel cannot limit processes")
	case running(c) && (c.Proc == nil || c.Proc.PidsLimit == nil):
		return verdict(plan.Unknown, "the limit in its cgroup could not be read: %s", unseenReason(c))
	case !running(c) && configured:
		return verdict(plan.Pass, "processes are limited to %d"+notRunning, *limit)
	case !running(c):
		return limitPids(c, p, verdict(plan.Fail, "processes are not limited"+notRunning))
	}
	kernel := *c.Proc.PidsLimit
	var f plan.Finding
	switch {
	case configured && kernel > *limit:
		f = verdict(plan.Fail, "a limit of %d processes is configured but not in effect: the kernel has %d", *limit, kernel)
		f.Blocked = restartForLimit
	case configured && kernel > 0:
		f = verdict(plan.Pass, "processes are limited to %d", kernel)
	case configured:
		f = verdict(plan.Fail, "a limit of %d processes is configured but not in effect: the kernel has none", *limit)
		f.Blocked = restartForLimit
	case kernel > 0:
		f = limitPids(c, p, verdict(plan.Fail, "the kernel limits processes to %d now, but the container is not configured so: it is lost at its next start", kernel))
	default:
		f = limitPids(c, p, verdict(plan.Fail, "processes are not limited"))
	}
	text := "unlimited"
	if kernel > 0 {
		text = fmt.Sprint(kernel)
	}
	f.Evidence = append([]plan.Evidence{evidence("limit", sourceCgroup, "%s", text)}, f.Evidence...)
	return f
}

func limitPids(c *inventory.Container, p profile.Params, f plan.Finding) plan.Finding {
	seenMost := int64(0)
	if c.Usage != nil {
		seenMost = max(c.Usage.Pids, c.Usage.PidsPeak)
	}
	limit := p.Int("limit")
	switch {
	case limit > 0 && limit < seenMost:
		f.Blocked = fmt.Sprintf("the profile's limit of %d is below the %d processes and threads it was seen with", limit, seenMost)
		return f
	case limit > 0:
		f.Notes = append(f.Notes, fmt.Sprintf("limit %d: given by the profile", limit))
	case seenMost == 0:
		return ask(f, "How many processes and threads may it have? It was not seen in use: "+usageReason(c)+".", answerContainer(c, "docker/pids-limit", "limit: NUMBER"))
	default:
		limit = max(seenMost*p.Int("factor"), p.Int("floor"))
		f.Evidence = append(f.Evidence, evidence("most processes and threads", sourceCgroup, "%d", seenMost))
		f.Notes = append(f.Notes, fmt.Sprintf("limit %d = max(%d seen × %d, %d)", limit, seenMost, p.Int("factor"), p.Int("floor")))
	}
	from := c.Inspect.HostConfig.PidsLimit
	note := lifted + "0"
	switch {
	case from != nil && *from == 0:
		note = ""
	case running(c) && *c.Proc.PidsLimit > 0:
		note = fmt.Sprintf("the limit cannot be unset through the API: the kernel has the limit of %d of before again, which the engine did not know, and inspect shows that", *c.Proc.PidsLimit)
	}
	f.Changes = []plan.Change{updateChange("PidsLimit", from, limit, note)}
	return f
}
