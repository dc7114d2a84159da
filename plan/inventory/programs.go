package inventory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

const (
	maxProgramEntries = 300_000 // names looked at in one container
	maxPrograms       = 100     // named
	maxProgramDepth   = 64
	programTime       = 20 * time.Second
	programBatch      = 512 // names read at once
)

// Programs are the files of a running container of this machine that give privileges to who executes them: in its root
// file system and in what is mounted into it, except where the kernel gives none (nosuid). No link is followed.
func (c *Container) Programs() evidence.Programs {
	if c.Proc == nil {
		return evidence.Programs{Looked: true, Problem: c.ProcProblem}
	}
	pid := c.Proc.Init.PID
	mounts, err := readLimited(hostRoot("").proc(pid, "mountinfo"), maxProcFile)
	if err != nil {
		return evidence.Programs{Looked: true, Problem: fmt.Sprintf("cannot look at its mounts: %s", explain(err))}
	}
	w := programWalk{until: time.Now().Add(programTime), left: leftOut(parseMounts(mounts))}
	return w.programs(hostRoot("").proc(pid, "root"))
}

// leftOut are mounts that are not looked into: those from which the kernel gives no privileges, and those of a server
// or of a program, which may not answer. The value says whether something may be missed there.
func leftOut(mounts []mount) map[string]bool {
	out := make(map[string]bool)
	for _, m := range mounts {
		_, there := out[m.point]
		away := strings.HasPrefix(m.kind, "fuse") || slices.Contains([]string{"9p", "afs", "autofs", "ceph", "cifs", "lustre", "nfs", "nfs4", "smb3"}, m.kind)
		switch {
		case m.point == "/":
		case hasOption(m.options, "nosuid"):
			out[m.point] = false
		case away:
			out[m.point] = true
		case there:
			delete(out, m.point) // another one is mounted over it
		}
	}
	return out
}

// programWalk looks for them below one directory.
type programWalk struct {
	until time.Time
	left  map[string]bool // places that are not looked into
	seen  int
	out   evidence.Programs
}

func (w *programWalk) programs(root string) evidence.Programs {
	w.out.Looked = true
	fd, err := retry(func() (int, error) { return unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		w.out.Problem = fmt.Sprintf("cannot look at its programs: %s", explain(err))
		return w.out
	}
	w.walk(fd, "/", 0)
	slices.SortFunc(w.out.Found, func(a, b evidence.Program) int { return strings.Compare(a.Path, b.Path) })
	return w.out
}

// walk looks through an open directory, and closes it.
func (w *programWalk) walk(fd int, name string, depth int) {
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close() //nolint:errcheck // read only
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Flags&unix.ST_NOSUID != 0 {
		w.out.Partial = w.out.Partial || err != nil
		return
	}
	for {
		entries, err := dir.ReadDir(programBatch)
		for _, entry := range entries {
			if w.seen++; w.seen > maxProgramEntries || depth > maxProgramDepth || time.Now().After(w.until) {
				w.out.Partial = true
				return
			}
			w.look(fd, path.Join(name, entry.Name()), entry, depth)
		}
		if err != nil || len(entries) == 0 {
			w.out.Partial = w.out.Partial || err != nil && !errors.Is(err, io.EOF)
			return
		}
	}
}

// look looks at one name of an open directory.
func (w *programWalk) look(dir int, name string, entry os.DirEntry, depth int) {
	base := path.Base(name)
	switch {
	case entry.IsDir():
		if missed, left := w.left[name]; left {
			w.out.Partial = w.out.Partial || missed
			return
		}
		fd, err := retry(func() (int, error) {
			return unix.Openat(dir, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		})
		switch {
		case err == nil:
			w.walk(fd, name, depth+1)
		case !errors.Is(err, unix.ENOENT):
			w.out.Partial = true
		}
	case entry.Type().IsRegular():
		w.file(dir, name)
	}
}

// file takes note of a file that gives privileges.
func (w *programWalk) file(dir int, name string) {
	const anyExecute = unix.S_IXUSR | unix.S_IXGRP | unix.S_IXOTH
	var st unix.Stat_t
	err := unix.Fstatat(dir, path.Base(name), &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&anyExecute == 0) {
		return
	}
	var data [24]byte
	n, size := uint64(0), 0
	if err == nil {
		size, err = unix.Lgetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", dir, path.Base(name)), "security.capability", data[:])
	}
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOENT):
	case err == nil:
		if n, err = permitted(data[:size]); err != nil {
			w.out.Partial = true
		}
	default:
		w.out.Partial = true
		return
	}
	p := evidence.Program{Path: name, Setuid: st.Mode&unix.S_ISUID != 0, Setgid: st.Mode&unix.S_ISGID != 0 && st.Mode&unix.S_IXGRP != 0}
	if n != 0 {
		p.Gives = evidence.MaskOf(n)
	}
	switch {
	case !p.Setuid && !p.Setgid && n == 0:
	case len(w.out.Found) >= maxPrograms:
		w.out.Partial = true
	default:
		w.out.Found = append(w.out.Found, p)
	}
}
