package docker

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func readOnlyRootfs() control.Control {
	return control.Control{
		ID:    "docker/read-only-rootfs",
		Title: "The container cannot write into its own root file system",
		Why:   "Tampering: who takes over the service cannot change its program, plant tools or hide traces in the image's files.",
		Risk:  "A service that writes anywhere outside volumes and tmpfs fails, maybe only later: at a reload, an upgrade, a rare request. A tmpfs hides what the image has at its place, and is empty after every start; a volume keeps what it has, also where a newer image brings other files.",
		Fix:   "ReadonlyRootfs, and Tmpfs and volumes for the places it writes to, of a new container; the old one is kept. Undone by the old container; a volume that was written to stays, and is named.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.12", "cis-docker-1.6.0": "5.13", "cis-docker-1.8.0": "5.13", "stride": "T",
		},
		Class:    control.Answer,
		Verified: "flags of the mount on / of its first process (statfs of /proc/PID/root), beside inspect",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			acceptParam("make the root file system read-only"),
			{Name: "tmpfs", Type: profile.TypeList, Default: []string{}, Doc: `places that get a tmpfs, each a path or path:options ("/run:size=16m,mode=0755")`},
			{Name: paramVolumes, Type: profile.TypeList, Default: []string{}, Doc: `directories that get a volume with all that the container has in them now ("/var/lib/app"): where it keeps data, or its image has files`},
			learntParam(),
		},
		Container: judgeReadOnly,
	}
}

func judgeReadOnly(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	hc := &c.Inspect.HostConfig
	if running(c) && c.Proc == nil {
		return unseen(c)
	}
	held := c.Proc != nil && c.Proc.ReadOnlyRoot
	var f plan.Finding
	switch {
	case !running(c) && hc.ReadonlyRootfs:
		return verdict(plan.Pass, "its root file system is read-only"+notRunning)
	case !running(c):
		f = verdict(plan.Fail, "it may write into its root file system"+notRunning)
	case hc.ReadonlyRootfs && held:
		return verdict(plan.Pass, "its root file system is read-only")
	case hc.ReadonlyRootfs:
		f = verdict(plan.Fail, "a read-only root file system is configured but not in effect: it is mounted writable")
		f.Blocked = "something remounted it; restart the container, then plan again"
		return f
	case held:
		f = verdict(plan.Fail, "its root file system is mounted read-only now, but it is not configured so")
	default:
		f = verdict(plan.Fail, "it may write into its root file system")
	}
	f.Evidence = append(f.Evidence, layerEvidence(c)...)
	if !p.Bool("accept") || outdated(c, p) {
		return askReadOnly(h, c, p, f)
	}
	return makeReadOnly(h, c, p, f)
}

func makeReadOnly(h *inventory.Host, c *inventory.Container, p profile.Params, f plan.Finding) plan.Finding {
	hc := &c.Inspect.HostConfig
	tmpfs := maps.Clone(hc.Tmpfs)
	for _, place := range p.List("tmpfs") {
		target, options, _ := strings.Cut(place, ":")
		if !path.IsAbs(target) || path.Clean(target) == "/" {
			f.Blocked = fmt.Sprintf("the profile's tmpfs %q is not an absolute path below /", place)
			return f
		}
		if tmpfs == nil {
			tmpfs = make(map[string]string)
		}
		tmpfs[path.Clean(target)] = options
	}
	volumes, blocked := intoVolumes(h, c, p.List(paramVolumes), tmpfs)
	if blocked != "" {
		f.Blocked = blocked
		return f
	}
	f.Changes = append(differing(recreateChange("ReadonlyRootfs", hc.ReadonlyRootfs, true), recreateChange("Tmpfs", hc.Tmpfs, tmpfs)), volumes...)
	if len(volumes) > 0 {
		f.Notes = append(f.Notes,
			"a rollback brings the container back with its files as they are at the apply; what is written to a volume after that stays in it, and the rollback names it",
			"a volume keeps what it has: files that a newer image has there do not come into it")
	}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "places it writes to only now and then were maybe not seen")
	if lost := unwritable(c, append(slices.Collect(maps.Keys(tmpfs)), p.List(paramVolumes)...)); len(lost) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "it has written to places that will be read-only: "+list(lost))
	}
	return f
}

// unwritable are the places seen written that no tmpfs or volume covers. Directories above one count as covered.
func unwritable(c *inventory.Container, writable []string) []string {
	if c.Layer == nil {
		return nil
	}
	var out []string
	for _, p := range c.Layer.Paths {
		covered := slices.ContainsFunc(writable, func(t string) bool {
			return p == t || strings.HasPrefix(p, t+"/") || strings.HasPrefix(t, strings.TrimSuffix(p, "/")+"/")
		})
		if !covered {
			out = append(out, plainName(p))
		}
	}
	return out
}

func layerEvidence(c *inventory.Container) []plan.Evidence {
	if c.Layer == nil {
		return nil
	}
	out := []plan.Evidence{evidence("written files", "writable layer", "%d", c.Layer.Files)}
	for _, p := range c.Layer.Paths {
		out = append(out, evidence("written", "writable layer", "%s", plainName(p)))
	}
	return out
}

func written(c *inventory.Container) string {
	if c.Layer == nil {
		return "What it has written could not be read: " + c.LayerProblem
	}
	if len(c.Layer.Paths) == 0 {
		return "Nothing was written into its root file system since it was made"
	}
	names := make([]string, len(c.Layer.Paths))
	for i, p := range c.Layer.Paths {
		names[i] = plainName(p)
	}
	return "So far it has written " + list(names)
}
