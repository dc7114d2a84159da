package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// unpack prepares the program that fetches packages with everything they need
// and writes their files as one tar stream, running none of their scripts.
func unpack(ctx context.Context, packages []string) *exec.Cmd {
	args := []string{
		"--quiet", "--mode=root", "--variant=extract", "--format=tar",
		"--include=" + strings.Join(packages, ","),
	}
	return withMachineNet(ctx, "mmdebstrap", append(append(args, aptOptions()...), debianSources("-")...)...)
}

// aptOptions keep downloads small and accept the dated copies of the archive that
// many build machines use.
func aptOptions() []string {
	return []string{
		`--aptopt=Acquire::Languages "none"`,
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		`--dpkgopt=path-exclude=/usr/share/doc/*`,
		`--dpkgopt=path-exclude=/usr/share/man/*`,
		`--dpkgopt=path-exclude=/usr/share/locale/*`,
	}
}

// debianSources are mmdebstrap's last arguments: the release, the target, and the
// machine's own Debian sources, so that a local mirror is used where one is set.
func debianSources(target string) []string {
	args := []string{suite(), target}
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*.sources")
	lists, _ := filepath.Glob("/etc/apt/sources.list.d/*.list")
	for _, path := range append(append([]string{"/etc/apt/sources.list"}, lists...), files...) {
		data, err := os.ReadFile(path)
		if err == nil && fromDebian(string(data)) {
			args = append(args, path)
		}
	}
	return args
}

// fromDebian tells sources of Debian itself from those of other vendors, whose
// keys and packages have no place in a sample image.
func fromDebian(text string) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if f[0] != "deb" && f[0] != "URIs:" {
			continue
		}
		for _, word := range f[1:] {
			if strings.Contains(word, "://") && strings.Contains(word, "debian") {
				return true
			}
		}
	}
	return false
}
