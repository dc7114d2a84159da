package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gofrs/flock"
)

// A Release says which Debian the programs of a host come from, the engine among them.
type Release string

// The releases that hosts can be made of.
const (
	// Own is this machine's release.
	Own Release = ""
	// Trixie brings the engine of Debian 13 (26.1), with all that it needs; the rest is this machine's release.
	Trixie Release = "trixie"
	// Sid brings the engine of sid (28.5 or newer). Sid as a whole would not do, because its systemd knows
	// control groups of version 2 only.
	Sid Release = "sid"
	// Virtual is this machine's release with what a virtual machine needs besides.
	Virtual Release = "virtual"
)

// EngineVariable names the environment variable that chooses the release of every host whose test
// does not choose one, so that any test can be run on another engine.
const EngineVariable = "DOCKER_HARDEN_TEST_ENGINE"

// Debian makes a host of the given release. Without Systemd everything of the machine but its programs,
// /etc and /var stays visible in the host, so that tests can run inside.
func Debian(r Release) Option { return func(o *options) { o.release = r } }

// Releases lists those that bring a newer engine.
func Releases() []Release { return []Release{Trixie, Sid} }

// rootVersion moves when roots are made differently.
const rootVersion = 1

var rootPackages = []string{
	"systemd", "systemd-sysv", "dbus", "docker.io", "iproute2", "iptables", "procps", "kmod", "ca-certificates", "attr",
}

// enginePackages are a newer engine and what tests call that run inside its host; apt adds the libraries.
var enginePackages = []string{"docker.io", "docker-cli", "jq", "libcap2-bin"}

// virtualPackages let a virtual machine start from a disk and be entered.
var virtualPackages = []string{"openssh-server", "busybox-static", "jq", "apparmor"}

// maskedUnits would wait for devices, networks or terminals that a host has not.
var maskedUnits = []string{
	"getty.target", "console-getty.service", "systemd-udevd.service", "systemd-networkd-wait-online.service",
	"systemd-logind.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service",
	"e2scrub_all.timer", "dpkg-db-backup.timer", "fstrim.timer", "apparmor.service",
}

// currentRelease is the release this process runs in.
func currentRelease() Release {
	data, err := os.ReadFile(rootRelease)
	if err != nil || !inside() {
		return Own
	}
	return Release(strings.TrimSpace(string(data)))
}

// Root builds an unpacked Debian of the release, or finds it in the cache: a whole system, or of a newer
// release the folder usr with its engine, to be laid over that of Own. It is only ever read: each host lays
// an overlay over it.
func Root(ctx context.Context, r Release) (string, error) {
	if r != Own && r != Virtual && !slices.Contains(Releases(), r) {
		return "", fmt.Errorf("cannot make a host of release %q: there are %q", r, Releases())
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	name := "systemd"
	if r != Own {
		name = string(r)
	}
	lock := flock.New(filepath.Join(cache, name+".lock"))
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("cannot lock the image cache: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	root := filepath.Join(cache, name+"-"+rootKey(r))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	if debs := Missing(true); len(debs) > 0 {
		return "", fmt.Errorf("cannot build the root of hosts of release %s: programs are missing; install them with: %s", r.suite(), AptCommand(debs))
	}
	if err := buildRoot(ctx, r, root); err != nil {
		return "", fmt.Errorf("cannot build the root of hosts of release %s: %w", r.suite(), err)
	}
	return root, nil
}

// suite is the release's name in an archive.
func (r Release) suite() string {
	switch r {
	case Own, Virtual:
		return suite()
	default:
		return string(r)
	}
}

// rootKey is different whenever the root would be.
func rootKey(r Release) string {
	what := fmt.Sprintf("%d %s %s %v %v", rootVersion, r.suite(), runtime.GOARCH, packagesOf(r), masksOf(r))
	if r.newer() {
		what += notSystemd
	}
	key := sha256.Sum256([]byte(what))
	return hex.EncodeToString(key[:8])
}

func packagesOf(r Release) []string {
	packages := slices.Clone(rootPackages)
	switch r {
	case Own:
	case Virtual:
		return append(packages, virtualPackages...)
	default:
		return enginePackages
	}
	if appArmor() {
		packages = append(packages, "apparmor")
	}
	return packages
}

// masksOf: a machine with a kernel of its own loads AppArmor's profiles itself.
func masksOf(r Release) []string {
	switch r {
	case Own:
		return maskedUnits
	case Virtual:
		return slices.DeleteFunc(slices.Clone(maskedUnits), func(unit string) bool { return unit == "apparmor.service" })
	default:
		return nil
	}
}

// buildRoot unpacks Debian, and configures a whole one, under another name until it is whole.
func buildRoot(ctx context.Context, r Release, root string) (err error) {
	young := root + ".building"
	if err := os.RemoveAll(young); err != nil { // of an interrupted build
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(young))
		}
	}()
	// In a mount namespace of its own: what it mounts in the root ends with it, however it ends.
	args := append([]string{"--mount", "--", "mmdebstrap", "--quiet", "--mode=root", "--format=directory"}, aptOptions()...)
	if out, err := withMachineNet(ctx, "unshare", append(args, wanted(ctx, r, young)...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run mmdebstrap: %w: %s", err, lastLines(string(out), 5))
	}
	finish := maskUnits
	if r.newer() {
		finish = engineOnly
	}
	if err := finish(young, masksOf(r)); err != nil {
		return err
	}
	return os.Rename(young, root)
}

// packageList is where a newer engine's folder says which packages it was made of.
const packageList = "usr/share/testhost-packages"

// notSystemd takes out the files of a systemd that came along: a newer one than the system's might know control
// groups of version 2 only.
const notSystemd = `for deb in "$1"/var/cache/apt/archives/systemd_*.deb; do [ ! -e "$deb" ] ||
dpkg-deb --fsys-tarfile "$deb" | tar -t | grep -v '/$' | (cd "$1" && xargs -r -d '\n' rm -f); done`

// wanted are mmdebstrap's arguments that say what is unpacked, where it comes from and where it goes.
func wanted(ctx context.Context, r Release, target string) []string {
	packages := packagesOf(r)
	if r.newer() {
		return []string{
			"--variant=extract", "--include=" + strings.Join(packages, ","),
			"--extract-hook=" + notSystemd, `--extract-hook=ls "$1/var/cache/apt/archives" >"$1/` + packageList + `"`,
			r.suite(), target, archiveLine(r.suite()),
		}
	}
	// From Debian 13 on the command line tool is a package of its own.
	if out, err := exec.CommandContext(ctx, "apt-cache", "show", "docker-cli").Output(); err == nil && len(out) > 0 {
		packages = append(packages, "docker-cli")
	}
	return append([]string{"--variant=minbase", "--include=" + strings.Join(packages, ",")}, debianSources(target)...)
}

// engineOnly leaves of an unpacked newer engine what lies over the other system: its programs and libraries.
func engineOnly(root string, _ []string) error {
	entries, err := os.ReadDir(root)
	for _, e := range entries {
		if e.Name() != "usr" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(root, e.Name())))
		}
	}
	return err
}

// newer tells the releases that bring an engine alone.
func (r Release) newer() bool { return r != Own && r != Virtual }

// layers are the folders, the uppermost first, that a host of the release is made of.
func layers(ctx context.Context, r Release) (string, error) {
	top, err := Root(ctx, r)
	if err != nil || !r.newer() {
		return top, err
	}
	own, err := Root(ctx, Own)
	return top + ":" + own, err
}

// maskUnits takes out of a root what a host in namespaces cannot run.
func maskUnits(root string, masked []string) error {
	units := filepath.Join(root, "etc/systemd/system")
	for _, unit := range masked {
		if err := os.Symlink("/dev/null", filepath.Join(units, unit)); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot mask %s: %w", unit, err)
		}
	}
	target := filepath.Join(units, "default.target")
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink("/lib/systemd/system/multi-user.target", target)
}

// EngineOf is the version of the engine's package in the folder of a newer release.
func EngineOf(root string) (string, error) {
	list, err := os.ReadFile(filepath.Join(root, packageList))
	if err != nil {
		return "", fmt.Errorf("cannot tell which engine is in %s: %w", root, err)
	}
	for name := range strings.Lines(string(list)) {
		if version, ok := strings.CutPrefix(name, "docker.io_"); ok {
			version, _, _ = strings.Cut(version, "_")
			return strings.ReplaceAll(version, "%3a", ":"), nil
		}
	}
	return "", fmt.Errorf("cannot tell which engine is in %s: %s names no docker.io", root, packageList)
}

// goRoot is the folder of the Go tools, "" where there are none: tests inside build programs.
func goRoot() string {
	path, err := exec.LookPath("go")
	if err != nil {
		return ""
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return ""
	}
	return filepath.Dir(filepath.Dir(path))
}
