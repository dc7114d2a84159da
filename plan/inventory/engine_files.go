package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// FileRole says what a file is to the engine.
type FileRole string

// The roles of files that can give the engine away, or what it is told.
const (
	RoleServiceUnit      FileRole = "service-unit" // docker.service and its drop-ins
	RoleSocketUnit       FileRole = "socket-unit"  // docker.socket and its drop-ins
	RoleConfigDir        FileRole = "config-dir"   // /etc/docker
	RoleRegistryDir      FileRole = "registry-dir" // /etc/docker/certs.d, and one directory a registry
	RoleRegistryCert     FileRole = "registry-cert"
	RoleRegistryKey      FileRole = "registry-key"
	RoleTLSCA            FileRole = "tls-ca"
	RoleTLSCert          FileRole = "tls-cert"
	RoleTLSKey           FileRole = "tls-key"
	RoleEngineSocket     FileRole = "engine-socket"
	RoleDefaults         FileRole = "defaults"  // /etc/default/docker
	RoleSysconfig        FileRole = "sysconfig" // /etc/sysconfig/docker
	RoleContainerdSocket FileRole = "containerd-socket"
)

// EngineFile is one of the engine's files, or the fact that it has none of a role. Owner and mode are
// in [Host.Files] under Resolved. Only the file's metadata was read, but for the files of TLS, see TLS.
type EngineFile struct {
	Role FileRole `json:"role"`
	// Path is the file as the engine or systemd names it. Links are the symlinks on the way, Resolved
	// is where they end.
	Path     string   `json:"path,omitempty"`
	Links    []string `json:"links,omitempty"`
	Resolved string   `json:"resolved,omitempty"`
	// None is why there is no file ("TLS is not configured"), Problem why it could not be looked at.
	None    string `json:"none,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Held is why owner and mode must not be changed although the file is there.
	Held string `json:"held,omitempty"`
	// Socket is who makes a socket of the engine, and how.
	Socket *SocketMaker `json:"socket,omitempty"`
	// TLS is what a certificate or key of TLS was seen to be.
	TLS *Credential `json:"tls,omitempty"`
}

// configDir is where an engine that runs as root looks for registry certificates, whatever its flags.
const configDir = "/etc/docker"

// maxEntries bounds how many entries of one directory are looked at, and maxEngineFiles the files of all.
const (
	maxEntries     = 300
	maxEngineFiles = 500
)

// fileFinder finds the files of one engine.
type fileFinder struct {
	root   hostRoot
	daemon *Daemon
	found  []EngineFile
	files  map[string]File
}

// engineFiles finds the engine's files; socket is where it was reached.
func (r hostRoot) engineFiles(d *Daemon, socket string) ([]EngineFile, map[string]File) {
	f := &fileFinder{root: r, daemon: d, files: map[string]File{}}
	service := "docker.service"
	if d.Manager == managerSystemd && strings.HasSuffix(d.Unit, ".service") {
		service = d.Unit
	}
	socketUnit := strings.TrimSuffix(service, ".service") + ".socket"
	f.unit(RoleServiceUnit, service)
	f.unit(RoleSocketUnit, socketUnit)
	f.one(RoleConfigDir, configDir)
	f.registries(path.Join(configDir, "certs.d"))
	f.tls()
	f.sockets(socket, socketUnit)
	f.one(RoleDefaults, "/etc/default/docker")
	f.one(RoleSysconfig, "/etc/sysconfig/docker")
	f.containerd()
	return f.found, f.files
}

// one looks at one file, which may be missing.
func (f *fileFinder) one(role FileRole, name string) {
	file := f.look(role, name)
	if file.Problem == "" && !f.files[file.Resolved].Exists {
		file.None = "there is no " + name
		if len(file.Links) > 0 {
			file.None = fmt.Sprintf("%s is a link to %s, which does not exist", name, file.Resolved)
		}
	}
	f.found = append(f.found, file)
}

func (f *fileFinder) none(role FileRole, why string) {
	f.found = append(f.found, EngineFile{Role: role, None: why})
}

func (f *fileFinder) unknown(role FileRole, name, why string) {
	f.found = append(f.found, EngineFile{Role: role, Path: name, Problem: why})
}

// look follows the links of a path and stats what is there.
func (f *fileFinder) look(role FileRole, name string) EngineFile {
	file := EngineFile{Role: role, Path: name}
	var err error
	if file.Resolved, file.Links, err = f.root.resolve(name); err != nil {
		file.Problem = err.Error()
		return file
	}
	seen, known := f.files[file.Resolved]
	if !known {
		if seen, err = f.root.statFile(file.Resolved); err != nil {
			file.Problem = explain(err).Error()
			return file
		}
		f.files[file.Resolved] = seen
	}
	if seen.Exists {
		file.Held = f.root.held(file)
	}
	return file
}

// held says why owner and mode of a file must stay as they are. Whoever may move a symlink on the way
// chooses which file a change would meet.
func (r hostRoot) held(file EngineFile) string {
	for _, link := range file.Links {
		if name := r.loose(link); name != "" {
			return fmt.Sprintf("it is reached through the link %s, and others than root may change %s: make that root's alone, look where the link leads, then plan again", link, name)
		}
	}
	name := r.join(file.Resolved)
	var more unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &more); err != nil {
		return "" // the handler looks again
	}
	if more.Mode&unix.S_IFMT == unix.S_IFREG && more.Nlink > 1 {
		return fmt.Sprintf("it has %d hard links, and the change would show at its other names too", more.Nlink)
	}
	if more.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 {
		return "it is immutable or append-only (see lsattr)"
	}
	var fsys unix.Statfs_t
	if unix.Statfs(name, &fsys) == nil && fsys.Flags&unix.ST_RDONLY != 0 {
		return "its file system is mounted read-only"
	}
	return ""
}

// loose is the part of a link's path, up to the link itself, that others than root may change; empty: none.
func (r hostRoot) loose(link string) string {
	for name := link; ; name = path.Dir(name) {
		var st unix.Stat_t
		err := unix.Lstat(r.join(name), &st)
		open := st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&0o022 != 0
		switch {
		case err != nil || st.Uid != 0 || open:
			return name
		case name == "/":
			return ""
		}
	}
}

// unit looks at the unit file that systemd would read, and at its drop-ins.
func (f *fileFinder) unit(role FileRole, name string) {
	place := slices.IndexFunc(unitPath, func(dir string) bool {
		_, err := os.Lstat(f.root.join(f.root.parent(path.Join(dir, name))))
		return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
	})
	if place < 0 {
		f.none(role, "there is no unit "+name)
		return
	}
	f.one(role, path.Join(unitPath[place], name))
	for _, dir := range unitPath {
		dropIns := path.Join(dir, name+".d")
		for _, entry := range f.list(role, dropIns) {
			if strings.HasSuffix(entry, ".conf") {
				f.more(role, path.Join(dropIns, entry))
			}
		}
	}
}

// parent follows the links above a name, and not the one that the name itself may be.
func (r hostRoot) parent(name string) string {
	dir, _, err := r.resolve(path.Dir(name))
	if err != nil {
		return name
	}
	return path.Join(dir, path.Base(name))
}

// more adds a file unless it was found under another name already.
func (f *fileFinder) more(role FileRole, name string) {
	file := f.look(role, name)
	twice := slices.ContainsFunc(f.found, func(have EngineFile) bool {
		return have.Role == role && have.Resolved != "" && have.Resolved == file.Resolved
	})
	switch {
	case twice:
	case len(f.found) >= maxEngineFiles:
		f.unknown(role, name, fmt.Sprintf("it is one of more than %d files", maxEngineFiles))
	default:
		f.found = append(f.found, file)
	}
}

// list names the entries of a directory, sorted; none when there is no such directory.
func (f *fileFinder) list(role FileRole, dir string) []string {
	real, _, err := f.root.resolve(dir)
	if err != nil {
		f.unknown(role, dir, err.Error())
		return nil
	}
	open, err := os.OpenFile(f.root.join(real), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		f.unknown(role, dir, explain(fmt.Errorf("cannot read %s: %w", dir, cause(err))).Error())
		return nil
	}
	defer open.Close()
	names, err := open.Readdirnames(maxEntries + 1)
	if len(names) > maxEntries {
		f.unknown(role, dir, fmt.Sprintf("%s has more than %d entries", dir, maxEntries))
		names = names[:maxEntries]
	} else if err != nil && !errors.Is(err, io.EOF) {
		f.unknown(role, dir, fmt.Sprintf("cannot read %s: %s", dir, cause(err)))
	}
	slices.Sort(names)
	return names
}

// registries looks at the certificates and keys for registries: DIR/REGISTRY/*.crt, *.cert and *.key.
func (f *fileFinder) registries(dir string) {
	f.one(RoleRegistryDir, dir)
	for _, registry := range f.list(RoleRegistryDir, dir) {
		below := path.Join(dir, registry)
		if real, _, err := f.root.resolve(below); err == nil {
			if info, err := os.Lstat(f.root.join(real)); err != nil || !info.IsDir() {
				continue // the engine takes no notice of it
			}
		}
		f.more(RoleRegistryDir, below)
		for _, name := range f.list(RoleRegistryDir, below) {
			switch path.Ext(name) {
			case ".crt", ".cert":
				f.more(RoleRegistryCert, path.Join(below, name))
			case ".key":
				f.more(RoleRegistryKey, path.Join(below, name))
			}
		}
	}
}
