package docker

import (
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func mountPropagation() control.Control {
	return control.Control{
		ID:    "docker/mount-propagation",
		Title: "Mounts made in the container do not reach the host",
		Why:   "Tampering and elevation of privilege: with shared propagation what a container mounts is mounted on the host too.",
		Risk: "Storage plugins, FUSE file systems and agents that mount for the host do not reach it any more. " +
			"A container without SYS_ADMIN cannot mount anything, so it loses nothing: only such a one is changed without an answer. What the host mounts is still seen in it.",
		Fix: "The option shared becomes slave, and rshared rslave, of a new container; every other option of the mount stays, and the old container is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.19", "cis-docker-1.6.0": "5.20", "cis-docker-1.8.0": "5.20", "stride": "T,E",
		},
		Class:     control.Automatic,
		Verified:  "mounts of the container in /proc/PID/mountinfo, beside those that the engine shows",
		Severity:  plan.RiskMedium,
		Params:    []profile.Param{acceptParam("make shared mounts slaves although the container could mount for the host")},
		Container: judgePropagation,
	}
}

func judgePropagation(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	var shared, kept, stuck []string
	var changes []plan.Change
	for _, m := range c.Inspect.Mounts {
		now, known := place(c, m)
		if !m.Shares() {
			if known && now.Shared {
				kept = append(kept, plainName(m.Destination))
			}
			continue
		}
		shared = append(shared, plainName(m.Destination)+" ("+m.Propagation+")")
		if block := mountBlock(c, m); block != "" {
			stuck = append(stuck, block)
		}
		changes = append(changes, mountChange(m, plan.MountPropagation, m.Propagation, strings.Replace(m.Propagation, "shared", "slave", 1)))
	}
	var f plan.Finding
	switch {
	case len(shared) > 0 && running(c) && !seen(c):
		return unseen(c)
	case len(shared) > 0:
		f = verdict(plan.Fail, "mounts below %s reach the host", list(shared))
	case len(kept) > 0:
		f = verdict(plan.Fail, "mounts below %s reach the host although it is not configured so", list(kept))
		f.Blocked = "something has made the mount shared again since it started; restart the container, then plan again"
		f.Evidence = placesSeen(c)
		return f
	default:
		return verdict(plan.Pass, "no mount is shared with the host")
	}
	f.Evidence = placesSeen(c)
	switch {
	case len(stuck) > 0:
		f.Blocked = strings.Join(stuck, "; ")
	case !mayMount(c):
		f.Changes = changes
	case p.Bool("accept"):
		f.Changes = changes
		f.Risk = f.Risk.Raise(plan.RiskHigh, "it has SYS_ADMIN: the host no longer sees what it mounts there")
	default:
		return ask(f, "It has SYS_ADMIN: does it mount for the host? If it only has to see what the host mounts, rslave is enough; if it does, accept the risk.",
			answerContainer(c, "docker/mount-propagation", "accept: true"))
	}
	return f
}

// placesSeen says how the kernel holds the mounts of a container that were looked at.
func placesSeen(c *inventory.Container) []plan.Evidence {
	var out []plan.Evidence
	for _, m := range c.Inspect.Mounts {
		now, known := place(c, m)
		if !known {
			continue
		}
		words := []string{plainName(m.Source), "on", plainName(m.Destination) + ":", "writable,"}
		if now.ReadOnly {
			words[3] = "read-only,"
		}
		if words = append(words, "not shared with the host"); now.Shared {
			words[4] = "shared with the host"
		}
		out = append(out, evidence("mount", "/proc/PID/mountinfo", "%s", strings.Join(words, " ")))
	}
	return out
}
