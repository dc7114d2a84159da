package inventory

import (
	"cmp"
	"os"
	"path"
	"slices"
	"strings"
)

// AuditPart is a part of the engine whose files should be watched.
type AuditPart string

// The parts, as the benchmarks have them.
const (
	AuditDockerd          AuditPart = "dockerd"
	AuditRunContainerd    AuditPart = "run-containerd"
	AuditDataRoot         AuditPart = "data-root"
	AuditConfigDir        AuditPart = "config-dir"
	AuditServiceUnit      AuditPart = "service-unit"
	AuditContainerdSocket AuditPart = "containerd-socket"
	AuditSocketUnit       AuditPart = "socket-unit"
	AuditDefaults         AuditPart = "defaults"
	AuditDaemonJSON       AuditPart = "daemon-json"
	AuditContainerdConfig AuditPart = "containerd-config"
	AuditSysconfig        AuditPart = "sysconfig"
	AuditContainerd       AuditPart = "containerd"
	AuditShim             AuditPart = "shim"
	AuditShimRuncV1       AuditPart = "shim-runc-v1"
	AuditShimRuncV2       AuditPart = "shim-runc-v2"
	AuditRunc             AuditPart = "runc"
)

// placeFinder finds the paths to watch.
type placeFinder struct {
	root  hostRoot
	found []AuditPlace
}

// auditPlaces are the paths that the kernel's audit should watch: what there is, under its real path and as the
// benchmarks spell it. The engine's own program and daemon.json are watched for where they are not yet, too.
func (r hostRoot) auditPlaces(h *Host) []AuditPlace {
	f := &placeFinder{root: r}
	f.place(AuditDockerd, "/usr/bin/dockerd", true)
	f.place(AuditDockerd, h.Daemon.Exe, false)
	f.place(AuditRunContainerd, "/run/containerd", false)
	f.place(AuditDataRoot, "/var/lib/docker", false)
	f.place(AuditDataRoot, h.Engine.RootDir, false)
	f.place(AuditConfigDir, configDir, false)
	f.engineFiles(h.EngineFiles)
	f.place(AuditDaemonJSON, h.Daemon.ConfigPath, true)
	f.place(AuditContainerdConfig, "/etc/containerd/config.toml", false)
	for part, name := range map[AuditPart]string{
		AuditContainerd: "containerd", AuditRunc: "runc",
		AuditShim: "containerd-shim", AuditShimRuncV1: "containerd-shim-runc-v1", AuditShimRuncV2: "containerd-shim-runc-v2",
	} {
		for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"} {
			f.place(part, path.Join(dir, name), false)
		}
	}
	slices.SortFunc(f.found, func(a, b AuditPlace) int {
		return cmp.Or(strings.Compare(string(a.Part), string(b.Part)), strings.Compare(a.Path, b.Path))
	})
	return f.found
}

// engineFiles takes over files that were found already.
func (f *placeFinder) engineFiles(files []EngineFile) {
	parts := map[FileRole]AuditPart{
		RoleServiceUnit: AuditServiceUnit, RoleSocketUnit: AuditSocketUnit, RoleEngineSocket: AuditSocketUnit,
		RoleContainerdSocket: AuditContainerdSocket, RoleDefaults: AuditDefaults, RoleSysconfig: AuditSysconfig,
	}
	for _, file := range files {
		part, known := parts[file.Role]
		switch dropIn := path.Ext(file.Path) == ".conf"; {
		case !known || dropIn:
		case file.Problem != "":
			f.found = append(f.found, AuditPlace{Part: part, Path: file.Path, Problem: file.Problem})
		case file.None == "":
			f.place(part, file.Path, false)
		}
	}
}

// place adds a path without links above it, and where its own link leads. The kernel watches a name in a
// directory, so the directory has to be there; whether the name has to be, wanted decides.
func (f *placeFinder) place(part AuditPart, name string, wanted bool) {
	if name == "" {
		return
	}
	real, _, err := f.root.resolve(name)
	if err != nil {
		f.found = append(f.found, AuditPlace{Part: part, Path: name, Problem: err.Error()})
		return
	}
	for _, spelling := range []string{f.root.parent(path.Clean(name)), real} {
		dir, err := os.Lstat(f.root.join(path.Dir(spelling)))
		if err != nil || !dir.IsDir() || slices.ContainsFunc(f.found, func(p AuditPlace) bool { return p.Part == part && p.Path == spelling }) {
			continue
		}
		place := AuditPlace{Part: part, Path: spelling}
		if info, err := os.Lstat(f.root.join(spelling)); err == nil {
			place.Exists, place.Dir = true, info.IsDir()
		}
		if !plainAuditPath(spelling) {
			place.Problem = "its name has characters that would need quoting in a rules file"
		}
		if place.Exists || wanted {
			f.found = append(f.found, place)
		}
	}
}
