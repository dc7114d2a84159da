package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// aptOptions keep downloads small, accept the dated copies of the archive that many build machines use, and
// wait for no disk. Leaving documentation out here would send every package through a filter that takes more
// time than unpacking it.
func aptOptions() []string {
	return []string{
		`--aptopt=Acquire::Languages "none"`,
		`--aptopt=Acquire::Check-Valid-Until "false"`,
		`--dpkgopt=force-unsafe-io`,
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

// defaultArchive serves where the machine's own sources name no archive.
const defaultArchive = "http://deb.debian.org/debian"

// archiveLine is a line of apt sources for another suite, from where this machine's packages come.
func archiveLine(suite string) string {
	return "deb " + mirrorIn(debianSources("")[2:]) + " " + suite + " main"
}

// mirrorIn is the address of Debian's main archive (not the one for security) in the first of these files of
// apt sources that has one.
func mirrorIn(files []string) string {
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			for _, word := range addresses(line) {
				if strings.Contains(word, "debian") && !strings.Contains(word, "security") {
					return strings.TrimSuffix(word, "/")
				}
			}
		}
	}
	return defaultArchive
}

// addresses are those of one line of apt sources, in either format.
func addresses(line string) []string {
	f := strings.Fields(line)
	if len(f) < 2 || f[0] != "deb" && f[0] != "URIs:" {
		return nil
	}
	return slices.DeleteFunc(f[1:], func(word string) bool { return !strings.Contains(word, "://") })
}

// fromDebian tells sources of Debian itself from those of other vendors, whose
// keys and packages have no place in a sample image.
func fromDebian(text string) bool {
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(addresses(line), func(word string) bool { return strings.Contains(word, "debian") }) {
			return true
		}
	}
	return false
}
