package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLaunchers bounds how many launchers one entry is followed through.
const maxLaunchers = 4

// maxRaces is how often a path is looked up again when something in it is renamed meanwhile.
const maxRaces = 8

// launchers start the program that their arguments name and do nothing else of their own.
var launchers = []string{"tini", "tini-static", "docker-init", "dumb-init", "catatonit", "env"}

// splitOption is env -S in its many spellings.
var splitOption = regexp.MustCompile(`^(-[^-]*S|--split-string)`)

// defaultSearch is where the engine looks for programs when a container's environment has no PATH.
const defaultSearch = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// searchPath is the PATH of an environment; as for the engine, the last one counts.
func searchPath(env []string) string {
	search := defaultSearch
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			search = value
		}
	}
	return search
}

// entryFinder looks for programs as the runtime does, inside a container's root.
type entryFinder struct {
	root        int    // open directory
	search, dir string // PATH and working directory
}

// entry looks at the file a container starts with. A setuid program leaves no trace in a process
// once it has run another one, so the processes alone do not tell what the next start will need.
func (r *procReader) entry(pid int, i *Inspect, search string) *Executable {
	if i.Path == "" {
		return &Executable{Problem: "the engine does not name it"}
	}
	root, err := retry(func() (int, error) {
		return unix.Open(r.root.proc(pid, "root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return &Executable{Path: i.Path, Problem: explain(err).Error()}
	}
	defer unix.Close(root)
	f := entryFinder{root: root, search: search, dir: i.Config.WorkingDir}
	argv := append([]string{i.Path}, i.Args...)
	for range maxLaunchers {
		e := f.look(argv[0])
		name := path.Base(argv[0])
		if e.Problem != "" || e.Setuid || e.FileCaps || !slices.Contains(launchers, name) {
			return e
		}
		if argv = f.launched(name, argv[1:]); argv == nil {
			// Arguments may be secrets: which one was not understood is not said.
			e.Problem = "what it starts could not be found"
			return e
		}
	}
	return &Executable{Path: i.Path, Problem: "it starts too many launchers in a row"}
}

// launched is the command line that a launcher runs: from its first argument on that is a program.
// nil: none is.
func (f entryFinder) launched(launcher string, args []string) []string {
	env := launcher == "env"
	for i, arg := range args {
		switch {
		case env && splitOption.MatchString(arg):
			return nil // the command is inside one argument
		case arg == "", strings.HasPrefix(arg, "-"), env && strings.Contains(arg, "="):
		case f.look(arg).Problem == "":
			return args[i:]
		}
	}
	return nil
}

// look finds a program and reads what its file gives to whoever starts it.
func (f entryFinder) look(name string) *Executable {
	dirs := []string{""}
	if !strings.Contains(name, "/") {
		dirs = strings.Split(f.search, ":")
	} else if path.IsAbs(name) {
		dirs = []string{"/"}
	}
	for _, dir := range dirs {
		if !path.IsAbs(dir) {
			dir = "/" + f.dir + "/" + dir
		}
		place := dir + "/" + name // not cleaned: what ".." means depends on the links before it
		e, err := f.read(place)
		switch {
		case err == nil:
			if e.Path = name; !strings.Contains(place, "..") {
				e.Path = path.Clean(place)
			}
			return e
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, errNoProgram):
			// The runtime may see more than this process: what comes later in PATH is maybe not what it takes.
			return &Executable{Path: name, Problem: explain(err).Error()}
		}
	}
	return &Executable{Path: name, Problem: "there is no such program in the container now"}
}

// errNoProgram is a directory, or a file that nobody may execute.
var errNoProgram = errors.New("it is no program")

// open names a file without opening it. Links lead where they lead inside the container, never out of it, and those
// of /proc nowhere.
func (f entryFinder) open(name string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := retry(func() (int, error) { return unix.Openat2(f.root, name, &how) })
	for range maxRaces {
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
		fd, err = retry(func() (int, error) { return unix.Openat2(f.root, name, &how) })
	}
	if errors.Is(err, unix.ENOSYS) {
		err = errors.New("this kernel cannot open files inside a container safely (Linux 5.6 and later can)")
	}
	return fd, err
}

// read looks at one file without running it; only of a script the text is read.
func (f entryFinder) read(name string) (*Executable, error) {
	fd, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	const anyExecute = unix.S_IXUSR | unix.S_IXGRP | unix.S_IXOTH
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&anyExecute == 0 {
		return nil, errNoProgram
	}
	e := &Executable{Setuid: st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0}
	if e.FileCaps, err = hasFileCaps(fmt.Sprintf("/proc/self/fd/%d", fd)); err != nil {
		e.Problem = explain(err).Error()
	}
	e.reads(fd, st.Size)
	return e, nil
}

// hasFileCaps reports whether a file carries capabilities. The path is followed.
func hasFileCaps(name string) (bool, error) {
	switch _, err := unix.Getxattr(name, "security.capability", nil); {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return false, nil
	default:
		return false, err
	}
}
