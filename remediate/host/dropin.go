package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// The one drop-in that this tool writes.
const (
	socketUnitName = "docker.socket"
	dropInFile     = inventory.SocketDropIn
	dropInDir      = "/etc/systemd/system/docker.socket.d"
	dropInMode     = 0o644
	dropInDirMode  = 0o755
	maxDropIn      = 64 << 10
)

const dropInHead = "# Written by docker-harden; docker-harden rollback takes it back.\n[Socket]\n"

// socketUnits is what is needed of systemd's D-Bus interface.
type socketUnits interface {
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	ReloadContext(ctx context.Context) error
	Close()
}

// settings are what a socket unit says of the next socket, by name.
type settings map[string]string

// dropInUndo is the drop-in's part of an undo record.
type dropInUndo struct {
	// Existed, Before and Access are the file as it was.
	Existed bool   `json:"existed,omitempty"`
	Before  []byte `json:"before,omitempty"`
	Access  access `json:"access,omitzero"`
	// NoDir is true when there was no directory for it.
	NoDir bool   `json:"no_dir,omitempty"`
	After []byte `json:"after"`
	// Was and Planned are what systemd says, before and after.
	Was     settings `json:"was"`
	Planned settings `json:"planned"`
}

// forms are the settings that a step may change, in the order in which they are written, and what each may be.
var forms = []struct {
	name string
	form *regexp.Regexp
}{
	{"SocketUser", regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)},
	{"SocketGroup", regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)},
	{"SocketMode", regexp.MustCompile(`^0[0-7]{3}$`)},
}

func isSetting(name string) (*regexp.Regexp, bool) {
	for _, f := range forms {
		if f.name == name {
			return f.form, true
		}
	}
	return nil, false
}

// text is a drop-in with these settings.
func (s settings) text() []byte {
	out := dropInHead
	for _, f := range forms {
		if value, ok := s[f.name]; ok {
			out += f.name + "=" + value + "\n"
		}
	}
	return []byte(out)
}

// ours reads a drop-in that this tool wrote; anything else somebody wrote there.
func ours(data []byte) (settings, error) {
	s := settings{}
	body, ok := strings.CutPrefix(string(data), dropInHead)
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		form, known := isSetting(name)
		ok = ok && known && form.MatchString(value)
		s[name] = value
	}
	if !ok || !bytes.Equal(s.text(), data) {
		return nil, fmt.Errorf("%s is not as this tool writes it: move what it says into a drop-in of another name", dropInFile)
	}
	return s, nil
}

// prepareDropIn works out the new drop-in. Earlier settings of this tool's stay in it.
func (h *Socket) prepareDropIn(ctx context.Context, changes []plan.Change) (*dropInUndo, error) {
	refused := func(err error) error {
		return fmt.Errorf("%w: cannot write %s: %w", remediate.ErrRefused, dropInFile, err)
	}
	conn, err := h.reach(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	u := &dropInUndo{}
	if u.Was, err = said(ctx, conn); err != nil {
		return nil, err
	}
	for _, unit := range []string{socketUnitName, strings.TrimSuffix(socketUnitName, "socket") + "service"} {
		all, err := conn.GetAllPropertiesContext(ctx, unit)
		if err != nil {
			return nil, fmt.Errorf("cannot look at %s: %w", unit, err)
		}
		if all["NeedDaemonReload"] == true {
			return nil, refused(fmt.Errorf("the files of %s were edited and systemd has not read them yet: look at them, run systemctl daemon-reload, then plan again", unit))
		}
	}
	present, err := h.readDropIn(u)
	if err != nil {
		return nil, refused(err)
	}
	u.Planned = settings{}
	for _, c := range changes {
		var from, to string
		form, _ := isSetting(c.Path)
		if err := errors.Join(json.Unmarshal(c.From, &from), json.Unmarshal(c.To, &to)); err != nil || !form.MatchString(to) {
			return nil, refused(fmt.Errorf("%s %s is no value for it", c.Path, c.To))
		}
		if from != u.Was[c.Path] {
			return nil, fmt.Errorf("cannot change %s: %w: systemd says that its %s is %s, the plan was made for %s", socketUnitName, plan.ErrStale, c.Path, u.Was[c.Path], from)
		}
		present[c.Path], u.Planned[c.Path] = to, to
	}
	u.After = present.text()
	return u, nil
}

// readDropIn fills in the file as it is, and gives its settings.
func (h *Socket) readDropIn(u *dropInUndo) (settings, error) {
	for _, dir := range []string{path.Dir(dropInDir), dropInDir} {
		var st unix.Stat_t
		err := unix.Lstat(h.Root+dir, &st)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir == dropInDir:
			u.NoDir = true
			return settings{}, nil
		case err != nil:
			return nil, fmt.Errorf("cannot look at %s: %w", dir, err)
		case st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != 0 || st.Mode&0o022 != 0:
			return nil, fmt.Errorf("%s is no directory of root's that nobody else may write", dir)
		}
	}
	data, err := atomic.ReadFile(h.Root+dropInFile, maxDropIn)
	if errors.Is(err, fs.ErrNotExist) {
		return settings{}, nil
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(h.Root+dropInFile, &st); err != nil {
		return nil, fmt.Errorf("cannot look at it: %w", err)
	}
	f := file{stat: st}
	u.Existed, u.Before, u.Access = true, data, f.access()
	return ours(data)
}

// said is what systemd says of the next socket, in the words of the unit file: without a user it is root, without
// a group that of the user.
func said(ctx context.Context, conn socketUnits) (settings, error) {
	all, err := conn.GetAllPropertiesContext(ctx, socketUnitName)
	if err != nil {
		return nil, fmt.Errorf("cannot look at %s: %w", socketUnitName, err)
	}
	mode, ok := all["SocketMode"].(uint32)
	if all["LoadState"] == "not-found" || !ok {
		return nil, fmt.Errorf("cannot look at %s: systemd has no such socket", socketUnitName)
	}
	user, _ := all["SocketUser"].(string)
	group, _ := all["SocketGroup"].(string)
	if user == "" {
		user = "root"
	}
	if group == "" {
		group = user
	}
	return settings{"SocketUser": user, "SocketGroup": group, "SocketMode": fmt.Sprintf("%04o", mode)}, nil
}

// doDropIn writes the drop-in and has systemd read it.
func (h *Socket) doDropIn(ctx context.Context, u *dropInUndo) error {
	conn, err := h.reach(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := atomic.Mkdir(h.Root+dropInDir, dropInDirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := h.at("directory"); err != nil {
		return err
	}
	if err := atomic.WriteFile(h.Root+dropInFile, u.After, atomic.Options{Mode: dropInMode, Keep: true}); err != nil {
		return err
	}
	if err := h.at("written"); err != nil {
		return err
	}
	if err := reload(ctx, conn); err != nil {
		return err
	}
	if err := h.at("reloaded"); err != nil {
		return err
	}
	now, err := said(ctx, conn)
	if err != nil {
		return err
	}
	for name, want := range u.Planned {
		if now[name] != want {
			return fmt.Errorf("cannot prove the change: systemd says that %s of %s is %s and not %s; does another drop-in have the last word? (systemctl cat %[2]s)",
				name, socketUnitName, now[name], want)
		}
	}
	return nil
}

// undoDropIn brings the drop-in back. changed is false when there was nothing to undo; notes name what differs
// all the same.
func (h *Socket) undoDropIn(ctx context.Context, u *dropInUndo, r remediate.Record) (changed bool, notes []string, err error) {
	waits := h.othersWait(ctx)
	if waits != nil && !r.Force && !r.Unattended {
		return false, nil, waits
	}
	force := r.Force
	if err := atomic.Sweep(h.Root + dropInFile); err != nil {
		return false, nil, err
	}
	data, err := atomic.ReadFile(h.Root+dropInFile, maxDropIn)
	exists := !errors.Is(err, fs.ErrNotExist)
	if err != nil && exists {
		return false, nil, err
	}
	before := exists == u.Existed && bytes.Equal(data, u.Before)
	switch {
	case before:
	case !force && (!exists || !bytes.Equal(data, u.After)):
		return false, nil, fmt.Errorf("%w: %s was changed since, and it is left as it is", remediate.ErrDrifted, dropInFile)
	default:
		changed = true
		if err := h.putBack(u); err != nil {
			return false, nil, err
		}
	}
	if u.NoDir {
		gone, err := h.dropDir()
		if err != nil {
			return false, nil, err
		}
		changed = changed || gone
	}
	if waits != nil && !force { // nobody is there to ask, and what somebody else has edited must not come into effect
		return changed, []string{"systemd has not read that " + dropInFile + " is as before, because files of the engine's unit were edited too: look at them, then run systemctl daemon-reload"}, nil
	}
	notes, err = h.tellSystemd(ctx, u)
	return changed, notes, err
}

// othersWait fails while files of the engine's unit were edited that systemd has not read: to have it read the socket's would
// bring them into effect, with the engine's next start.
func (h *Socket) othersWait(ctx context.Context) error {
	conn, err := h.reach(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	service := strings.TrimSuffix(socketUnitName, "socket") + "service"
	all, err := conn.GetAllPropertiesContext(ctx, service)
	if err == nil && all["NeedDaemonReload"] == true {
		return fmt.Errorf("%w: the files of %s were edited and systemd has not read them yet: look at them and run systemctl daemon-reload, then roll back again; --force has them read", remediate.ErrDrifted, service)
	}
	return nil // what cannot be asked is nobody's edit
}

// putBack writes the file as it was, or removes it.
func (h *Socket) putBack(u *dropInUndo) error {
	if !u.Existed {
		return atomic.Remove(h.Root + dropInFile)
	}
	mode, err := strconv.ParseUint(u.Access.Mode, 8, 32)
	if err != nil {
		return fmt.Errorf("internal error: %q is no file mode", u.Access.Mode)
	}
	return atomic.WriteFile(h.Root+dropInFile, u.Before, atomic.Options{UID: u.Access.UID, GID: u.Access.GID, Mode: fs.FileMode(mode).Perm(), Keep: true})
}

// dropDir removes the directory that was made for the drop-in, unless others put files there since.
func (h *Socket) dropDir() (bool, error) {
	crash.Point("before removing", dropInDir)
	err := os.Remove(h.Root + dropInDir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTEMPTY) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot remove directory: %w", err)
	}
	crash.Point("after removing", dropInDir)
	return true, atomic.SyncDir(path.Dir(h.Root + dropInDir))
}

// tellSystemd has systemd read its units, and compares what it then says with what it said before the step.
func (h *Socket) tellSystemd(ctx context.Context, u *dropInUndo) ([]string, error) {
	conn, err := h.reach(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := h.at("put back"); err != nil {
		return nil, err
	}
	if err := reload(ctx, conn); err != nil {
		return nil, err
	}
	now, err := said(ctx, conn)
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, f := range forms {
		if now[f.name] != u.Was[f.name] {
			notes = append(notes, fmt.Sprintf("%s of %s is %s and was %s: other files of the unit were changed since", f.name, socketUnitName, now[f.name], u.Was[f.name]))
		}
	}
	return notes, nil
}

func reload(ctx context.Context, conn socketUnits) error {
	crash.Point("before daemon-reload")
	if err := conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("cannot have systemd read its units again: %w", err)
	}
	crash.Point("after daemon-reload")
	return nil
}

// reach connects to systemd.
func (h *Socket) reach(ctx context.Context) (socketUnits, error) {
	if h.connect != nil {
		return h.connect(ctx)
	}
	conn, err := reach(ctx)
	if err != nil {
		return nil, err
	}
	return conn, nil
}
