//go:build reliability

package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"docker-harden/cmd/testhost/host"
)

// view is everything about a host that a step may change, as text by place: the same text is the same state.
type view map[string]string

// kept is the mark in the names of containers that a recreate makes or sets aside.
const kept = ".dh-"

// observe reads a host. Containers whose name has the mark stand under it without the random part.
func observe(ctx context.Context, h *host.Host, engine *client.Client) (view, error) {
	v := view{"daemon.json": file(h.Path(host.DaemonJSON)), "group": file(h.Path("/etc/group")), "gshadow": file(h.Path("/etc/gshadow"))}
	copies, err := filepath.Glob(h.Path("/etc") + "/.*.docker-harden-*")
	v["copies in /etc"] = text([]any{len(copies), err})
	info, err := engine.Info(ctx)
	if err != nil {
		return nil, err
	}
	v["live-restore in effect"] = fmt.Sprint(info.LiveRestoreEnabled)
	if err := v.socket(ctx, h); err != nil {
		return nil, err
	}
	if err := v.secrets(h); err != nil {
		return nil, err
	}
	v.swarm(h, info.Swarm)
	if err := v.volumes(ctx, h, engine); err != nil {
		return nil, err
	}
	all, err := engine.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, c := range all {
		names[c.ID] = strings.TrimPrefix(c.Names[0], "/")
	}
	for _, c := range all {
		_, raw, err := engine.ContainerInspectWithRaw(ctx, c.ID, false)
		if err != nil {
			return nil, err
		}
		if err := v.add(h, raw, names); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// file is bytes, owner and mode.
func file(path string) string {
	data, err := os.ReadFile(path)
	info, serr := os.Lstat(path)
	if err != nil || serr != nil {
		return fmt.Sprint("none: ", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() {
		return "no regular file: " + info.Mode().String()
	}
	return fmt.Sprintf("%d:%d %v %q", st.Uid, st.Gid, info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid), data)
}

// described is what is compared of an inspect answer.
type described struct {
	ID    string `json:"Id"`
	Name  string
	Image string
	State struct {
		Status  string
		Running bool
		Pid     int
	}
	Config          map[string]any
	HostConfig      map[string]any
	Mounts          []map[string]any
	GraphDriver     struct{ Data map[string]string }
	NetworkSettings struct {
		Networks map[string]map[string]any
	}
}

func (v view) add(h *host.Host, raw []byte, names map[string]string) error {
	var d described
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	name := strings.TrimPrefix(d.Name, "/")
	if base, rest, ok := strings.Cut(name, kept); ok {
		_, role, _ := strings.Cut(rest, "-")
		policy, _ := d.HostConfig["RestartPolicy"].(map[string]any)
		v["kept "+base+" "+role] = fmt.Sprintf("%s, restart %v", d.State.Status, policy["Name"])
		return nil
	}
	v["id of "+name] = d.ID
	v["state of "+name] = d.State.Status
	v["image of "+name] = d.Image
	if d.State.Running && d.HostConfig["NetworkMode"] != "host" {
		v[name+" subnets"] = subnets(h, d.State.Pid)
	}
	v[name+" writable layer"] = tree(h.Path(d.GraphDriver.Data["UpperDir"]))
	d.plain(names)
	for key, value := range d.HostConfig {
		v[name+" HostConfig."+key] = plainMark(text(value))
	}
	for key, value := range d.Config {
		v[name+" Config."+key] = text(value)
	}
	for _, m := range d.Mounts {
		v[fmt.Sprintf("%s mount %v", name, m["Destination"])] = plainMark(text(m))
		if source, ok := m["Source"].(string); ok && m["Type"] == "volume" {
			v[fmt.Sprintf("%s files in %v", name, m["Destination"])] = tree(h.Path(source))
		}
	}
	for network, end := range d.NetworkSettings.Networks {
		v[name+" network "+network] = text(end)
	}
	return nil
}

// tree is every file below a directory, but for those that the engine makes in a layer.
func tree(dir string) string {
	if filepath.Base(dir) == "root" { // no directory was given: this is the host itself
		return "not known"
	}
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(path, dir)
		if slices.Contains([]string{"", "/dev", "/proc", "/sys", "/.dockerenv", "/etc", "/data"}, rel) {
			if d.IsDir() && rel != "" {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %v", rel, info.Mode())
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " %q", data)
		}
		out.WriteString("; ")
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return out.String()
}

// plain takes out what belongs to a container's identity and what the engine makes up anew each time.
func (d *described) plain(names map[string]string) {
	short := d.ID[:12]
	if d.Config["Hostname"] == short {
		delete(d.Config, "Hostname")
	}
	for _, key := range []string{"NetworkMode", "PidMode", "IpcMode"} {
		mode, _ := d.HostConfig[key].(string)
		if id, ok := strings.CutPrefix(mode, "container:"); ok && names[id] != "" {
			d.HostConfig[key] = "container:" + names[id]
			delete(d.Config, "Hostname") // the other one's
		}
	}
	for _, end := range d.NetworkSettings.Networks {
		for key := range maps.Clone(end) {
			if !slices.Contains([]string{"IPAMConfig", "Links", "Aliases", "DriverOpts"}, key) {
				delete(end, key)
			}
		}
		if place, _ := end["IPAMConfig"].(map[string]any); len(place) == 0 {
			delete(end, "IPAMConfig") // empty or unset is the same
		}
		aliases, _ := end["Aliases"].([]any)
		aliases = slices.DeleteFunc(aliases, func(a any) bool { return a == short })
		end["Aliases"] = aliases
	}
	// A limit that was never set, and one that a live rollback lifted because the API cannot unset it,
	// are the same in effect.
	for _, key := range []string{"Memory", "MemorySwap", "PidsLimit", "CpuShares"} {
		if none := []any{nil, 0.0, -1.0, 1024.0, 9223372036854771712.0}; slices.Contains(none, d.HostConfig[key]) {
			d.HostConfig[key] = "none"
		}
	}
}

// plainMark leaves out of a place below the tool's own directory, or the name of a volume, what is another in each run.
func plainMark(s string) string {
	s = volumeMarks.ReplaceAllString(s, "$1…-")
	s = keptIDs.ReplaceAllString(s, "$1.…")
	if !strings.Contains(s, state+"/secrets/") {
		return s
	}
	return marks.ReplaceAllString(s, ".…")
}

func text(value any) string {
	raw, err := json.Marshal(value)
	if err != nil || string(raw) == "null" {
		return "[]"
	}
	return string(raw)
}

// differences between two states, one a line. skip leaves out places.
func differences(got, want view, skip func(place string) bool) []string {
	var out []string
	for _, place := range slices.Sorted(maps.Keys(merged(got, want))) {
		if got[place] != want[place] && !skip(place) {
			out = append(out, fmt.Sprintf("%s: is %s, want %s", place, got[place], want[place]))
		}
	}
	return out
}

func merged(a, b view) view {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// exactly compares everything: also that no other container is there.
func exactly(string) bool { return false }

// made compares with a state that another run made: its containers had other ids.
func made(place string) bool { return strings.HasPrefix(place, "id of ") }
