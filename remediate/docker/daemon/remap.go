package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/volume"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/canary"
)

// keyRemap gives the engine another data directory: everything that is in the present one gets out of sight.
const keyRemap = "userns-remap"

// isRemapped stands for every user to whom an engine may remap: it shows that it does, and not to whom.
const isRemapped = `"(remapped)"`

// remapUser is whom the engine makes by itself when it is told no name.
const remapUser = "dockremap"

// held is what a data directory has, by name.
type held struct {
	Containers []string `json:"containers,omitempty"`
	Running    bool     `json:"-"`
	Volumes    []string `json:"volumes,omitempty"`
	Networks   []string `json:"networks,omitempty"`
	Images     []string `json:"images,omitempty"` // ids
}

// home is the data directory before a step that changes it, and what has to be in it again in the end.
type home struct {
	Dir    string   `json:"dir"`
	Images []string `json:"images,omitempty"`
	// Others are the data directories of earlier remapped engines in it; User is whether remapUser was there.
	Others []string `json:"others,omitempty"`
	User   bool     `json:"user,omitempty"`
}

// holds lists what is in the engine's data directory now, without what the canary leaves.
func holds(ctx context.Context, engine Engine) (held, error) {
	var h held
	containers, err := engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return h, fmt.Errorf("cannot list the containers: %w", err)
	}
	for _, c := range containers {
		if c.Labels[canary.Label] == "" {
			h.Containers = append(h.Containers, strings.TrimPrefix(strings.Join(c.Names, " "), "/"))
			h.Running = h.Running || c.State == "running" || c.State == "paused" || c.State == "restarting"
		}
	}
	volumes, err := engine.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return h, fmt.Errorf("cannot list the volumes: %w", err)
	}
	for _, v := range volumes.Volumes {
		h.Volumes = append(h.Volumes, v.Name)
	}
	networks, err := engine.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return h, fmt.Errorf("cannot list the networks: %w", err)
	}
	for _, n := range networks {
		if !slices.Contains([]string{"bridge", "host", "none"}, n.Name) {
			h.Networks = append(h.Networks, n.Name)
		}
	}
	images, err := engine.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return h, fmt.Errorf("cannot list the images: %w", err)
	}
	for _, i := range images {
		if i.Labels[canary.Label] == "" {
			h.Images = append(h.Images, i.ID)
		}
	}
	return h, nil
}

// kept names what must never get out of sight; images can be had again.
func (h held) kept() string {
	var words []string
	for _, list := range []struct {
		thing string
		names []string
	}{{"containers", h.Containers}, {"volumes", h.Volumes}, {"networks", h.Networks}} {
		if len(list.names) > 0 {
			words = append(words, fmt.Sprintf("%s %q", list.thing, list.names))
		}
	}
	return strings.Join(words, ", ")
}

// leave looks at the data directory that a step leaves which remaps users; nil: it does not. Nothing but images may be
// in it, at the last moment too.
func (h *Handler) leave(ctx context.Context, step plan.Step, root string) (*home, error) {
	if !slices.ContainsFunc(step.Changes, func(c plan.Change) bool { return c.Path == keyRemap && !isNull(c.To) }) {
		return nil, nil //nolint:nilnil // there is none
	}
	has, err := holds(ctx, h.Engine)
	if err != nil {
		return nil, err
	}
	if names := has.kept(); names != "" {
		return nil, fmt.Errorf("%w: the engine would lose sight of %s; remove or move them, then plan again", remediate.ErrRefused, names)
	}
	return &home{Dir: root, Images: has.Images, Others: remappedDirs(root), User: userExists(remapUser)}, nil
}

// outOfSight insists, before a remapped engine goes back to its old data directory, that nothing made since is lost
// sight of. With force it is only said; what runs would run on without an engine, so that is refused all the same.
func (f *flow) outOfSight(ctx context.Context) error {
	has, err := holds(ctx, f.handler.Engine)
	if err != nil {
		return err
	}
	info, err := f.handler.Engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the engine for its state: %w", err)
	}
	names := has.kept()
	switch state := info.Swarm.LocalNodeState; {
	case state != "" && state != swarm.LocalNodeStateInactive:
		return fmt.Errorf("%w: the host joined a swarm since the apply, and would lose its place there: leave the swarm first", remediate.ErrDrifted)
	case names != "" && !f.force:
		return fmt.Errorf("%w: %s were made since the apply, and an engine that does not remap users has another data directory: remove or move them, or use --force to leave them in %s",
			remediate.ErrDrifted, names, info.DockerRootDir)
	case has.Running && info.LiveRestoreEnabled:
		return fmt.Errorf("%w: live-restore is on, so containers %q would run on without an engine that knows them; stop them first", remediate.ErrDrifted, has.Containers)
	case names != "":
		f.notes = append(f.notes, fmt.Sprintf("%s were made since the apply and are left in %s", names, info.DockerRootDir))
	}
	if n := len(has.Images); n > 0 {
		f.notes = append(f.notes, fmt.Sprintf("images that were pulled or built since the apply are left in %s: %d", info.DockerRootDir, n))
	}
	return nil
}

// atHome proves that the engine has its old data directory again with all that was in it, and says what stays of the
// remapped one.
func (f *flow) atHome(ctx context.Context) error {
	m := f.memo.Home
	if m == nil {
		return nil
	}
	info, err := f.handler.Engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the engine for its state: %w", err)
	}
	if info.DockerRootDir != m.Dir {
		return fmt.Errorf("the engine's data directory is %s and was %s", info.DockerRootDir, m.Dir)
	}
	has, err := holds(ctx, f.handler.Engine)
	if err != nil {
		return err
	}
	for _, id := range m.Images {
		if !slices.Contains(has.Images, id) {
			return fmt.Errorf("image %s was in %s before and is not now", id, m.Dir)
		}
	}
	for _, dir := range remappedDirs(m.Dir) {
		if !slices.Contains(m.Others, dir) {
			f.notes = append(f.notes, fmt.Sprintf("the data directory of the remapped engine stays: %s; docker-harden removes no data", dir))
		}
	}
	if !m.User && userExists(remapUser) {
		f.notes = append(f.notes, "the user and group "+remapUser+", which the engine made, stay with their lines in /etc/subuid and /etc/subgid: while files with these ids may exist, nobody else should get them")
	}
	return nil
}

// remappedName is how an engine calls the data directory of a remapped one: by the first user and group.
var remappedName = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)

func remappedDirs(root string) []string {
	var out []string
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() && remappedName.MatchString(e.Name()) {
			out = append(out, filepath.Join(root, e.Name()))
		}
	}
	return out
}

func userExists(name string) bool {
	raw, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return false
	}
	return strings.HasPrefix(string(raw), name+":") || strings.Contains(string(raw), "\n"+name+":")
}

// shownRemap is what can be seen of a value of keyRemap.
func shownRemap(value string) string {
	if value == `""` {
		return value
	}
	return isRemapped
}
