package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

func planBytes(t *testing.T) []byte {
	t.Helper()
	data, _, err := plan.Encode(&plan.Plan{Format: plan.Format, Made: time.Unix(0, 0).UTC(), Steps: []plan.Step{}, Findings: []plan.Finding{}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWritePrivate(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "host.plan")
	for range 2 { // a plan replaces a plan
		if err := writePrivate(name, planBytes(t), isPlanFile); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files in the directory, error %v", len(entries), err)
	}
}

func TestWritePrivateRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("notes"), "my notes")
	write(t, at("json"), `{"sha256":"x"}`)
	if err := os.Symlink(at("notes"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, at("foreign"), "")
	if err := os.Chown(at("foreign"), 12345, 12345); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	for name, want := range map[string]string{
		"notes": "holds something else", "json": "holds something else", "link": "symbolic link", "dir": "directory",
		"foreign": "belongs to uid 12345", "no/such/place": "no such file",
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.ReadFile(at(name))
			err := writePrivate(at(name), planBytes(t), isPlanFile)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
			if after, _ := os.ReadFile(at(name)); string(after) != string(before) {
				t.Errorf("the file was changed to %q", after)
			}
		})
	}
	if _, err := os.Stat("/dev/null"); err == nil {
		if err := writePrivate("/dev/null", nil, isPlanFile); err == nil {
			t.Error("a device was replaced by a file")
		}
	}
}

func TestIsPlanFile(t *testing.T) {
	edited := strings.Replace(string(planBytes(t)), "1970", "1971", 1)
	for name, test := range map[string]struct {
		data string
		want bool
	}{
		"a plan":             {string(planBytes(t)), true},
		"an edited plan":     {edited, true},
		"a plan of tomorrow": {`{"sha256":"x","plan":{"format":"docker-harden/plan/v9"}}`, true},
		"other JSON":         {`{"plan":1}`, false},
		"text":               {"hello", false},
	} {
		if got := isPlanFile([]byte(test.data)); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
