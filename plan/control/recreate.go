package control

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/owner"
	"docker-harden/plan/profile"
)

const (
	// recreateDowntime is what a stop, two renames and a start were measured to take, in seconds.
	recreateDowntime = 1.5
	// defaultStopTimeout is how long the engine waits for a container to stop, in seconds.
	defaultStopTimeout = 10
	// ownProcess is this program as the kernel names it.
	ownProcess = "docker-harden"
)

// guardContainers takes out changes of containers that must not be made and adds what a recreate costs.
func guardContainers(h *inventory.Host, p *profile.Profile, findings []plan.Finding) {
	containers := make(map[string]*inventory.Container, len(h.Containers))
	for i := range h.Containers {
		containers[h.Containers[i].ID] = &h.Containers[i]
	}
	recreates := recreateRules{host: h, profile: p, bonds: bondsOf(h), known: make(map[*inventory.Container]recreateFacts)}
	for i := range findings {
		f := &findings[i]
		c := containers[f.Resource.ID]
		if c == nil || f.Resource.Kind != plan.ResourceContainer || !changes(f) {
			continue
		}
		reasons := changeBlocks(h, c)
		if reason := owner.Reason(c, f.Changes); len(reasons) == 0 && reason != "" {
			reasons, f.Wanted = []string{reason}, f.Changes
		}
		if len(reasons) == 0 && changes(f, plan.KindRecreate) {
			reasons = recreates.of(c).blocks
		}
		switch {
		case len(reasons) > 0:
			block(f, strings.Join(reasons, "; "))
		case changes(f, plan.KindRecreate):
			if p.RecreateOf(c.Name).WritableLayer == plan.LayerRefuse {
				f.WritableLayer = plan.LayerRefuse // the files may come after the plan
			}
			priceRecreate(c, f, recreates.of(c).drifted)
		case c.Owner.Kind == inventory.OwnedByCompose:
			f.Notes = append(f.Notes, composeReason(c))
		}
	}
}

// recreateRules tells of each container whether it can be recreated. That is the same for all of its
// findings, so it is found out once.
type recreateRules struct {
	host    *inventory.Host
	profile *profile.Profile
	bonds   *bonds
	known   map[*inventory.Container]recreateFacts
}

type recreateFacts struct {
	blocks  []string // why it cannot be
	drifted []string // what would show that has changed around it
}

func (r *recreateRules) of(c *inventory.Container) recreateFacts {
	facts, known := r.known[c]
	if !known {
		facts.blocks = append(recreateBlocks(r.host, r.profile, c), r.bonds.blocks(r.profile, c)...)
		facts.drifted = drifted(r.host, c)
		r.known[c] = facts
	}
	return facts
}

// changeBlocks says why no change at all can be made to a container.
func changeBlocks(h *inventory.Host, c *inventory.Container) []string {
	switch {
	case !isDocker(h):
		return []string{fmt.Sprintf("the engine is %s: only Docker Engine is changed", h.Engine.Product)}
	case c.Inspect.State.Status == "dead" || c.Inspect.State.Status == "removing":
		return []string{fmt.Sprintf("it is %s: the engine refuses every change; remove it", c.Inspect.State.Status)}
	}
	return nil
}

// recreateBlocks lists every reason why a container cannot be replaced by a new one without losing
// something.
func recreateBlocks(h *inventory.Host, p *profile.Profile, c *inventory.Container) []string {
	var reasons []string
	add := func(when bool, format string, args ...any) {
		if when {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	in := &c.Inspect
	add(in.HostConfig.AutoRemove, "it was started with --rm: stopping it removes it and its anonymous volumes")
	add(in.State.Status == "exited", "it has exited: a recreate would lose its exit status; start it or remove it, then plan again")
	add(in.State.Status == "restarting" || in.State.Restarting, "it is in a restart loop: whether a new one works could not be seen; repair it, then plan again")
	if restarts, up := flaps(h, c); up > 0 {
		add(true, "its restart policy has started it again (%s) and it is up for %s only: whether a new one works could not be seen; repair it, then plan again", times(restarts), up)
	}
	image, known := h.Images[in.Image]
	add(!known || image.Missing, "its image %.19s is gone: a new container cannot be made from it", in.Image)
	add(runtimeGone(h, in.HostConfig.Runtime), "the engine no longer knows its runtime %s", in.HostConfig.Runtime)
	add(in.HostConfig.Memory > 0 && in.HostConfig.MemoryReservation > in.HostConfig.Memory,
		"its memory reservation is above its memory limit: the engine would not start a new one (nor this one after a reboot); correct it with docker update")
	for _, m := range in.Mounts {
		file, seen := h.Files[m.Source]
		add(m.Type == "bind" && seen && !file.Exists, "its bind source %s is missing on the host: the engine would make an empty directory", m.Source)
	}
	for _, source := range c.Replaced {
		add(true, "%s was replaced on the host since it started, and it still uses the old one; restart it, then plan again", source)
	}
	_, hidden := defaultsTaken(h, c)
	for _, reason := range []string{layerBlocks(h, c), unwantedLayer(c, p.RecreateOf(c.Name)), hidden} {
		add(reason != "", "%s", reason)
	}
	add(runsThisTool(c), "%s", endsWork)
	return reasons
}

const endsWork = "this tool runs in it: stopping it would end the work half done"

func runsThisTool(c *inventory.Container) bool {
	return c.Self || c.Proc != nil && slices.ContainsFunc(c.Proc.All, func(p inventory.Process) bool { return p.Name == ownProcess })
}

// blocks says why a container cannot be recreated together with those that it is bound to and those
// that are bound to it.
func (b *bonds) blocks(p *profile.Profile, c *inventory.Container) []string {
	var reasons []string
	if ref := b.lost[c]; ref != "" {
		reasons = append(reasons, fmt.Sprintf("it shares a namespace of container %.12s, which does not exist any more", ref))
	}
	for _, one := range b.from[c] {
		if one.Remade && c.Running() && !one.to.Running() && !strings.HasPrefix(one.By, "volumes") {
			reasons = append(reasons, fmt.Sprintf("it is bound to container %s (%s), which does not run", one.to.Name, one.By))
		}
	}
	for _, one := range b.taken(c) {
		why := takenBlocks(b.host, p, one)
		if len(why) == 0 {
			continue
		}
		how := "stopped and started"
		if one.Remade {
			how = "recreated"
		}
		to := ""
		if one.to != c {
			to = " through container " + one.to.Name
		}
		reasons = append(reasons, fmt.Sprintf("container %s is bound to it%s (%s) and cannot be %s with it: %s", one.from.Name, to, one.By, how, strings.Join(why, "; ")))
	}
	return reasons
}

// takenBlocks says why a container cannot be taken along.
func takenBlocks(h *inventory.Host, p *profile.Profile, one bond) []string {
	c := one.from
	if k := c.Owner.Kind; k != inventory.OwnedByNobody && k != inventory.OwnedByCompose {
		return []string{fmt.Sprintf("it is owned by %s %s", k, c.Owner.Name)}
	}
	in := &c.Inspect
	switch {
	case c.Problem != "":
		return []string{"it could not be inspected: " + c.Problem}
	case in.State.Status == "dead" || in.State.Status == "removing":
		return []string{"it is " + in.State.Status}
	case one.Remade && in.State.Status == "exited":
		return []string{"it has exited, and could not start again without the present container; remove it or start it, then plan again"}
	case one.Remade:
		return recreateBlocks(h, p, c)
	case in.HostConfig.AutoRemove:
		return []string{"it was started with --rm: stopping it removes it and its anonymous volumes"}
	case in.State.Restarting:
		return []string{"it is in a restart loop; repair it, then plan again"}
	case runsThisTool(c):
		return []string{endsWork}
	}
	return nil
}

// settled is how long a container that its restart policy brought back must be up to count as well.
const settled = time.Minute

// flaps tells a container that its restart policy has just brought back: once may be the first turn of a loop.
// Zero: it is not one.
func flaps(h *inventory.Host, c *inventory.Container) (restarts int, up time.Duration) {
	started, err := time.Parse(time.RFC3339Nano, c.Inspect.State.StartedAt)
	if err != nil || c.Inspect.RestartCount < 1 || !c.Running() {
		return 0, 0
	}
	if up = max(h.Taken.Sub(started), time.Millisecond); up >= settled {
		return 0, 0
	}
	return c.Inspect.RestartCount, up.Round(time.Millisecond)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// layerBlocks says why the files in the writable layer would be lost.
func layerBlocks(h *inventory.Host, c *inventory.Container) string {
	if c.Layer == nil {
		reason := c.LayerProblem
		if reason == "" {
			reason = "reason not recorded"
		}
		return "what was written into its writable layer could not be read: " + reason
	}
	driver := storageDriver(h, c)
	switch {
	case c.Layer.Files == 0:
		return ""
	case driver != "overlay2":
		return fmt.Sprintf("%s in the writable layer cannot be carried over with storage driver %s", layerFiles(c.Layer), driver)
	case c.Owner.Kind == inventory.OwnedByCompose && !inventory.OnlySecrets(c.Layer.Paths, c.Layer.Files):
		return fmt.Sprintf("%s in the writable layer (%s) would be lost at the next docker compose up; put the setting in the compose file of %s and run docker compose up yourself",
			layerFiles(c.Layer), layerPaths(c.Layer), c.Owner.Name)
	}
	return ""
}

// unwantedLayer says that the profile does not want the files of the writable layer carried over.
func unwantedLayer(c *inventory.Container, rules profile.Recreate) string {
	if rules.WritableLayer != plan.LayerRefuse || c.Layer == nil || c.Layer.Files == 0 {
		return ""
	}
	return fmt.Sprintf("%s in the writable layer (%s) and the profile says writable_layer: refuse; put them into a volume or the image, or say carry",
		layerFiles(c.Layer), layerPaths(c.Layer))
}

func storageDriver(h *inventory.Host, c *inventory.Container) string {
	for _, driver := range []string{c.Inspect.GraphDriver.Name, c.Inspect.Driver, h.Engine.StorageDriver} {
		if driver != "" {
			return driver
		}
	}
	return "unknown"
}

func runtimeGone(h *inventory.Host, name string) bool {
	return name != "" && len(h.Engine.Runtimes) > 0 && !slices.Contains(h.Engine.Runtimes, name)
}

// priceRecreate adds what a recreate of this container costs and risks.
func priceRecreate(c *inventory.Container, f *plan.Finding, drifted []string) {
	in := &c.Inspect
	if c.Layer.Files > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, fmt.Sprintf("%s in the writable layer carried over: %s", layerFiles(c.Layer), layerPaths(c.Layer)))
	}
	if c.Owner.Kind == inventory.OwnedByCompose {
		f.Risk = f.Risk.Raise(plan.RiskMedium, composeReason(c))
		for i := range f.Changes {
			if f.Changes[i].Kind == plan.KindRecreate {
				f.Changes[i].Reversibility, f.Changes[i].ReverseNote = plan.Functional, composeUndo
			}
		}
	}
	if ports := ephemeralPorts(c); len(ports) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("published on a host port that the engine picks, which will be another one: %s", strings.Join(ports, ", ")))
	} else if in.HostConfig.PublishAllPorts && in.HostConfig.NetworkMode != hostMode {
		f.Notes = append(f.Notes, "its ports are published on host ports that the engine picks, which will be others")
	}
	if ranges := rangePorts(c); len(ranges) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("published on the next free port of a range, which may be another one: %s", strings.Join(ranges, ", ")))
	}
	f.Notes = append(f.Notes, drifted...)
	if !c.Running() {
		return
	}
	f.Notes = append(f.Notes, listeners(c)...)
	f.Downtime = recreateDowntime + carryTime(c, f.Changes)
	if timeout := in.Config.StopTimeout; timeout != nil && *timeout > defaultStopTimeout {
		f.Notes = append(f.Notes, fmt.Sprintf("it may take up to %d s to stop (its own stop timeout)", *timeout))
	}
	if in.State.Paused {
		f.Notes = append(f.Notes, "it is paused: the new one is started and paused again")
	}
}

// carryTime is about how long the container stands still while what it has in directories goes into volumes, in whole
// seconds.
func carryTime(c *inventory.Container, changes []plan.Change) float64 {
	const filesPerSecond, bytesPerSecond = 2000, 100 << 20 // a slow disk
	var seconds float64
	for _, change := range changes {
		if place, ok := plan.VolumeOf(change.Path); ok {
			held := c.Held[place]
			seconds += float64(held.Files)/filesPerSecond + float64(held.Bytes)/bytesPerSecond
		}
	}
	return math.Round(seconds)
}

func layerFiles(l *inventory.Layer) string {
	more := ""
	if l.Truncated {
		more = "at least "
	}
	if l.Files == 1 {
		return more + "1 file"
	}
	return fmt.Sprintf("%s%d files", more, l.Files)
}

// layerPaths names a few written paths; the names come from inside the container, so they are quoted
// when they hold anything but plain characters.
func layerPaths(l *inventory.Layer) string {
	const most = 5
	paths := make([]string, 0, most+1)
	for _, p := range l.Paths[:min(most, len(l.Paths))] {
		paths = append(paths, plainName(p))
	}
	if l.Files > int64(len(paths)) {
		paths = append(paths, "…")
	}
	return strings.Join(paths, ", ")
}

func plainName(s string) string {
	if quoted := fmt.Sprintf("%q", s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}
