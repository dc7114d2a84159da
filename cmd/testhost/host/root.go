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
	// Trixie is Debian 13, with engine 26.1.
	Trixie Release = "trixie"
	// Mixed is Debian 13 with whatever engine sid has (28.5 or newer): sid as a whole would not
	// do, because its systemd knows control groups of version 2 only.
	Mixed Release = "mixed"
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
func Releases() []Release { return []Release{Trixie, Mixed} }

// rootVersion moves when roots are made differently.
const rootVersion = 1

var rootPackages = []string{
	"systemd", "systemd-sysv", "dbus", "docker.io", "iproute2", "iptables", "procps", "kmod", "ca-certificates", "attr",
}

// guestPackages bring what tests call that run inside a host of another release.
var guestPackages = []string{"docker-cli", "jq", "libcap2-bin"}

// virtualPackages let a virtual machine start from a disk and be entered.
var virtualPackages = []string{"openssh-server", "busybox-static", "jq", "apparmor"}

// maskedUnits would wait for devices, networks or terminals that a host has not.
var maskedUnits = []string{
	"getty.target", "console-getty.service", "systemd-udevd.service", "systemd-networkd-wait-online.service",
	"systemd-logind.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service",
	"e2scrub_all.timer", "dpkg-db-backup.timer", "fstrim.timer", "apparmor.service",
}

// mixedPreferences let nothing but the engine come from sid.
const mixedPreferences = `Package: *
Pin: release n=sid
Pin-Priority: 50

Package: docker.io docker-cli containerd runc tini
Pin: release n=sid
Pin-Priority: 990
`

// currentRelease is the release this process runs in.
func currentRelease() Release {
	data, err := os.ReadFile(rootRelease)
	if err != nil || !inside() {
		return Own
	}
	return Release(strings.TrimSpace(string(data)))
}

// Root builds an unpacked Debian of the release, or finds it in the cache. It is only
// ever read: each host lays an overlay over it.
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
	case Mixed:
		return string(Trixie)
	default:
		return string(r)
	}
}

// rootKey is different whenever the root would be.
func rootKey(r Release) string {
	what := fmt.Sprintf("%d %s %s %v %v", rootVersion, r.suite(), runtime.GOARCH, packagesOf(r), masksOf(r))
	if r == Mixed {
		what += mixedPreferences
	}
	key := sha256.Sum256([]byte(what))
	return hex.EncodeToString(key[:8])
}

func packagesOf(r Release) []string {
	packages := slices.Clone(rootPackages)
	switch {
	case r == Virtual:
		return append(packages, virtualPackages...)
	case r != Own:
		packages = append(packages, guestPackages...)
	}
	if appArmor() {
		packages = append(packages, "apparmor")
	}
	return packages
}

// masksOf: a machine with a kernel of its own loads AppArmor's profiles itself.
func masksOf(r Release) []string {
	if r == Virtual {
		return slices.DeleteFunc(slices.Clone(maskedUnits), func(unit string) bool { return unit == "apparmor.service" })
	}
	return maskedUnits
}

// buildRoot unpacks and configures Debian, under another name until it is whole.
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
	packages := packagesOf(r)
	// From Debian 13 on the command line tool is a package of its own.
	if out, err := exec.CommandContext(ctx, "apt-cache", "show", "docker-cli").Output(); (r == Own || r == Virtual) && err == nil && len(out) > 0 {
		packages = append(packages, "docker-cli")
	}
	sources, remove, err := sourcesOf(r, young)
	if err != nil {
		return err
	}
	defer remove()
	// In a mount namespace of its own: what it mounts in the root ends with it, however it ends.
	args := []string{"--mount", "--", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory", "--include=" + strings.Join(packages, ",")}
	args = append(append(args, aptOptions()...), sources...)
	if out, err := withMachineNet(ctx, "unshare", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run mmdebstrap: %w: %s", err, lastLines(string(out), 5))
	}
	if err := maskUnits(young, masksOf(r)); err != nil {
		return err
	}
	return os.Rename(young, root)
}

// sourcesOf are mmdebstrap's arguments that say where packages come from and where they go.
func sourcesOf(r Release, target string) (args []string, remove func(), err error) {
	switch r {
	case Own, Virtual:
		return debianSources(target), func() {}, nil
	case Trixie:
		return []string{r.suite(), target, archiveLine(r.suite())}, func() {}, nil
	}
	preferences, err := os.CreateTemp("", "docker-harden-preferences-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { os.Remove(preferences.Name()) }
	_, err = preferences.WriteString(mixedPreferences)
	if err := errors.Join(err, preferences.Close()); err != nil {
		remove()
		return nil, nil, err
	}
	place := `--setup-hook=install -D -m 0644 '` + preferences.Name() + `' "$1/etc/apt/preferences.d/engine"`
	return []string{place, r.suite(), target, archiveLine(r.suite()), archiveLine("sid")}, remove, nil
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

// EngineOf is the version of the engine's package in a root.
func EngineOf(ctx context.Context, root string) (string, error) {
	admin := "--admindir=" + filepath.Join(root, "var/lib/dpkg")
	out, err := exec.CommandContext(ctx, "dpkg-query", admin, "-W", "-f", "${Version}", "docker.io").Output()
	if err != nil {
		return "", fmt.Errorf("cannot tell which engine is in %s: %w", root, err)
	}
	return string(out), nil
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
