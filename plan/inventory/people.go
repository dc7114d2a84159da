package inventory

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
)

// DataRoot is where the engine keeps images, containers and volumes.
type DataRoot struct {
	Path string `json:"path,omitempty"`
	// Separate is true when it is on another file system than the directory above it.
	Separate bool   `json:"separate,omitempty"`
	Problem  string `json:"problem,omitempty"` // why that is not known
}

// GroupFile is where groups of a host stand: group(5).
const GroupFile = "/etc/group"

// Group is the group whose members may use the engine's socket.
type Group struct {
	Name    string   `json:"name,omitempty"`
	GID     string   `json:"gid,omitempty"`
	Exists  bool     `json:"exists,omitempty"`
	Members []string `json:"members,omitempty"` // sorted; all who have it
	Listed  []string `json:"listed,omitempty"`  // those of them in [GroupFile], as they stand there
	// Otherwise are those who have it by something else too: as the own group (passwd(5)), or by another group with
	// its number.
	Otherwise []string `json:"otherwise,omitempty"`
	Problem   string   `json:"problem,omitempty"` // why they are not known
}

// basis is the group's entry in [GroupFile].
func (g Group) basis() (plan.Basis, bool) {
	if !g.Exists || g.Problem != "" {
		return nil, false
	}
	return plan.Basis{"gid": g.GID, plan.MembersPath(g.Name): strings.Join(g.Listed, ",")}, true
}

// dataRoot looks at the engine's directory. A mount of the directory onto itself, which engines make, is no
// file system of its own: devices are compared and not mount points.
func (r hostRoot) dataRoot(path string) DataRoot {
	d := DataRoot{Path: path}
	var own, above unix.Stat_t
	err := errors.New("the engine does not name it")
	if path != "" {
		var real string
		if real, _, err = r.resolve(path); err == nil {
			err = errors.Join(unix.Stat(r.join(real), &own), unix.Stat(r.join(real+"/.."), &above))
		}
	}
	if err != nil {
		d.Problem = explain(err).Error()
		return d
	}
	d.Separate = own.Dev != above.Dev
	return d
}

// maxPeople bounds what is read of the lists of users and groups.
const maxPeople = 4 << 20

// group reads who is in a group (group(5), passwd(5)), by its name or its number. What directories such as LDAP add
// is not seen.
func (r hostRoot) group(name string) Group {
	g := Group{Name: name}
	err := r.lines(GroupFile, func(fields []string) {
		if len(fields) == 4 && (fields[0] == name || !g.Exists && fields[2] == name) {
			g.Name, g.Exists, g.GID = fields[0], true, fields[2]
			g.Listed = append(g.Listed, ListedIn(fields[3])...)
		}
	})
	if err == nil && g.Exists {
		err = r.lines("/etc/passwd", func(fields []string) {
			if len(fields) == 7 && fields[3] == g.GID {
				g.Otherwise = append(g.Otherwise, fields[0])
			}
		})
		err = errors.Join(err, r.lines(GroupFile, func(fields []string) {
			if len(fields) == 4 && fields[0] != g.Name && fields[2] == g.GID {
				g.Otherwise = append(g.Otherwise, ListedIn(fields[3])...)
			}
		}))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.Problem = explain(err).Error()
	}
	g.Members = slices.Compact(slices.Sorted(slices.Values(slices.Concat(g.Listed, g.Otherwise))))
	return g
}

// ListedIn are the names in the last field of a group's entry.
func ListedIn(field string) []string {
	return strings.FieldsFunc(field, func(c rune) bool { return c == ',' })
}

func (r hostRoot) lines(path string, do func(fields []string)) error {
	data, err := r.readFile(path, maxPeople)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		do(strings.Split(strings.TrimRight(line, "\n"), ":"))
	}
	return nil
}

// socketGroup is the group that an engine gives its socket to: as its flags or its file say, by name or number.
func (c *collector) socketGroup() string {
	name := "docker"
	if given := c.host.Daemon.Flags["group"]; len(given) > 0 {
		name = given[len(given)-1]
	} else if raw, ok := c.host.Daemon.Keys["group"]; ok {
		if given, err := strconv.Unquote(string(raw)); err == nil && given != "" {
			name = given
		}
	}
	return name
}
