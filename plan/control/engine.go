package control

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// restartTime is how long an engine was measured to be away in a restart, in seconds.
const restartTime = 3

// canaryNote is for who signs a plan off: a container that nobody asked for runs for a moment.
const canaryNote = "a canary container runs for a moment before and after it: when new ones start no more, the change is undone"

// unwrittenNote: an engine that shuts down stores no more of what it has read from its containers (20.10.24).
const unwrittenNote = "a container that writes to its log when the engine stops can lose the lines that the engine has read and not stored"

// flagNames are the flags of dockerd whose name differs from their key in daemon.json.
var flagNames = map[string]string{
	"authorization-plugins": "authorization-plugin",
	"default-ulimits":       "default-ulimit",
	"dns-opts":              "dns-opt",
	"exec-opts":             "exec-opt",
	"features":              "feature",
	"hosts":                 "host",
	"insecure-registries":   "insecure-registry",
	"labels":                "label",
	"log-opts":              "log-opt",
	"registry-mirrors":      "registry-mirror",
	"runtimes":              "add-runtime",
	"storage-opts":          "storage-opt",
}

// FlagName is the flag of dockerd that sets a key of daemon.json, with its dashes.
func FlagName(key string) string {
	if name, ok := flagNames[key]; ok {
		return "--" + name
	}
	return "--" + key
}

// reloadHazards are settings that a reload silently drops or resets when they were given as flags.
var reloadHazards = []string{"authorization-plugins", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "features"}

// guardEngine takes out changes of daemon.json that must not be made and adds what an engine restart costs.
func guardEngine(h *inventory.Host, findings []plan.Finding) {
	var step []*plan.Finding
	for i := range findings {
		f := &findings[i]
		if f.Resource.Kind != plan.ResourceDaemon || !changes(f) {
			continue
		}
		if reasons := configBlocks(h, f); len(reasons) > 0 {
			block(f, strings.Join(reasons, "; "))
			continue
		}
		step = append(step, f)
	}
	laterThanRecreates(findings, step)
	live := keepsRunning(h, step)
	for _, f := range step {
		if !changes(f, plan.KindRestart) {
			continue
		}
		if reasons := restartBlocks(h, live); len(reasons) > 0 {
			block(f, strings.Join(reasons, "; "))
			continue
		}
		priceRestart(h, f, live)
	}
}

// laterThanRecreates takes new defaults for containers out of a plan that recreates some: the engine's step
// comes first, and then they would get limits that their own step does not speak of.
func laterThanRecreates(findings []plan.Finding, step []*plan.Finding) {
	i := slices.IndexFunc(step, func(f *plan.Finding) bool {
		return slices.ContainsFunc(f.Changes, func(c plan.Change) bool { return c.Path == "default-ulimits" })
	})
	if i < 0 {
		return
	}
	for j := range findings {
		if f := &findings[j]; f.Resource.Kind == plan.ResourceContainer && changes(f, plan.KindRecreate) {
			block(step[i], "containers are recreated by this plan and would take the new limits unsaid: apply it first, then plan again")
			return
		}
	}
}

// isDocker reports whether the engine is Docker's own; an inventory that does not say counts as Docker.
func isDocker(h *inventory.Host) bool { return h.Engine.Product == "docker" || h.Engine.Product == "" }

// loose reports whether others than root may write to a directory: what is in it can be replaced while
// somebody works on it.
func loose(dir inventory.File) bool {
	const othersWrite = 0o022
	return dir.Exists && dir.Type == inventory.TypeDirectory && (dir.UID != 0 || dir.Mode&othersWrite != 0)
}

// configBlocks says why a finding's keys cannot be written into daemon.json, or not be reloaded.
func configBlocks(h *inventory.Host, f *plan.Finding) []string {
	var reasons []string
	add := func(when bool, format string, args ...any) {
		if when {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	add(!isDocker(h), "the engine is %s: only Docker Engine is changed", h.Engine.Product)
	add(!h.Engine.Local, "daemon.json is on the engine's own host: run docker-harden there")
	add(h.Daemon.ParseError != "", "%s cannot be edited: %s; repair it, then plan again", h.Daemon.ConfigPath, h.Daemon.ParseError)
	dir := path.Dir(h.Daemon.Resolved)
	add(loose(h.Files[dir]), "others than root may write to %s, which leads to daemon.json: make it root's alone by hand, or by the step that CIS 3.5 and 3.6 have here: apply it first, then plan again", dir)
	for _, c := range f.Changes {
		_, flag := h.Daemon.Flags[c.Path]
		add(flag, "set by the flag %s on the engine's command line (%s); change it there: the engine would not start with the flag and the key", FlagName(c.Path), commandLine(h))
	}
	add(h.Daemon.Pending, "%s", PendingText(h))
	if changes(f, plan.KindReload) {
		running := inventory.ParseFlags(h.Daemon.Argv)
		for _, key := range reloadHazards {
			_, next := h.Daemon.Flags[key]
			_, now := running[key]
			add(next || now, "a reload would drop or reset what the flag %s gives (%s); move it to daemon.json and restart the engine yourself, then plan again", FlagName(key), commandLine(h))
		}
	}
	return reasons
}

// commandLine names where the engine's flags are written, without the flags: they may hold secrets.
func commandLine(h *inventory.Host) string {
	if h.Daemon.Unit != "" {
		return "systemctl cat " + h.Daemon.Unit
	}
	return fmt.Sprintf("process %d", h.Daemon.PID)
}

// keepsRunning reports whether containers live through an engine restart: live-restore is on, or is
// turned on (and reloaded) before it.
func keepsRunning(h *inventory.Host, step []*plan.Finding) bool {
	return h.Engine.LiveRestore || slices.ContainsFunc(step, func(f *plan.Finding) bool {
		return slices.ContainsFunc(f.Changes, func(c plan.Change) bool { return c.Path == "live-restore" && string(c.To) == "true" })
	})
}

// restartBlocks says why the engine must not be restarted.
func restartBlocks(h *inventory.Host, live bool) []string {
	var reasons []string
	if h.Daemon.Manager == "unknown" {
		reasons = append(reasons, "it is not known how this engine is restarted")
	}
	if keys := flagDrift(h); len(keys) > 0 {
		reasons = append(reasons, fmt.Sprintf("the engine's command line was changed after it started (%s; see %s): the restart would also activate that; make sure that the engine can start with it, restart the engine yourself, then plan again",
			strings.Join(keys, ", "), commandLine(h)))
	}
	if SwarmActive(h) && (h.Engine.LiveRestore || string(h.Daemon.Keys["live-restore"]) == "true") {
		reasons = append(reasons, "live-restore is on although the host is in a swarm: the engine would not start again; remove live-restore from daemon.json")
	}
	if h.Engine.Cluster != nil && h.Engine.Cluster.AutoLock {
		reasons = append(reasons, "the managers of its swarm are locked when they start: after the restart this one would wait for docker swarm unlock, and its services with it; restart the engine yourself, or turn autolock off for the time (docker swarm update --autolock=false), then plan again")
	}
	if names := autoRemoved(h); len(names) > 0 && (!live || !keepsAutoRemoved(h.Engine.Version)) {
		reasons = append(reasons, fmt.Sprintf("the restart would kill and remove containers that run with --rm: %s; stop them first", strings.Join(names, ", ")))
	}
	return reasons
}

// SwarmActive reports whether the host takes part in a swarm.
func SwarmActive(h *inventory.Host) bool {
	return h.Engine.Swarm != "" && h.Engine.Swarm != "inactive"
}

func autoRemoved(h *inventory.Host) []string {
	var names []string
	for i := range h.Containers {
		if c := &h.Containers[i]; c.Running() && c.Inspect.HostConfig.AutoRemove {
			names = append(names, c.Name)
		}
	}
	return names
}

// keepsAutoRemoved reports whether live-restore spares --rm containers, which engines before 24.0.8
// killed. An unreadable version counts as old.
func keepsAutoRemoved(version string) bool {
	v, ok := ParseVersion(version)
	return ok && slices.Compare(v[:], []int{24, 0, 8}) >= 0
}

// priceRestart adds what an engine restart costs and risks.
func priceRestart(h *inventory.Host, f *plan.Finding, live bool) {
	f.Notes = append(f.Notes, canaryNote)
	if h.Daemon.ExeDeleted {
		f.Risk = f.Risk.Raise(plan.RiskHigh, fmt.Sprintf("%s was replaced after the engine started: the restart also upgrades the engine", h.Daemon.Exe))
	}
	var again []string
	running, stop := 0, 0
	for i := range h.Containers {
		c := &h.Containers[i]
		if !c.Running() {
			continue
		}
		running++
		if policy := c.Inspect.HostConfig.RestartPolicy.Name; policy == "" || policy == "no" {
			again = append(again, c.Name)
		}
		timeout := defaultStopTimeout
		if t := c.Inspect.Config.StopTimeout; t != nil {
			timeout = *t
		}
		stop = max(stop, timeout)
	}
	switch {
	case running == 0:
	case live:
		if h.Daemon.ProxyProcesses > 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("ports that docker-proxy serves (loopback, IPv6) are away while the engine restarts, about %d s", restartTime))
		}
		f.Notes = append(f.Notes, unwrittenNote)
	default:
		f.Downtime = float64(restartTime + stop)
		f.Risk = f.Risk.Raise(plan.RiskHigh, fmt.Sprintf("live-restore is off: the restart stops %s", counted(running, "running container")))
		if len(again) > 0 {
			f.Notes = append(f.Notes, "started again after the restart, because they have no restart policy: "+some(again))
		}
	}
}

// some names a few things, and says how many more there are.
func some(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
