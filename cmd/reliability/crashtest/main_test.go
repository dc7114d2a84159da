//go:build reliability

package crashtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool is the program with crash points, built once for all tests.
var tool string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "docker-harden-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	tool = filepath.Join(dir, "docker-harden")
	if err := build(tool, "-tags", "crashpoints"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(out string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), "docker-harden/cmd/docker-harden")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the tool: %w\n%s", err, text)
	}
	return nil
}

// Nothing of the crash points is in the program that people run: no name of a variable, no symbol, no
// name of a point.
func TestOrdinaryBuildHasNoCrashPoints(t *testing.T) {
	ordinary := filepath.Join(t.TempDir(), "docker-harden")
	if err := build(ordinary); err != nil {
		t.Fatal(err)
	}
	traces := []string{"DOCKER_HARDEN_CRASH", "internal/crash", "before engine call", "written, not on disk: record"}
	for path, want := range map[string]bool{ordinary: false, tool: true} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, trace := range traces {
			if strings.Contains(text, trace) != want {
				t.Errorf("%s: contains %q: %v, want %v", filepath.Base(path), trace, !want, want)
			}
		}
	}
}
