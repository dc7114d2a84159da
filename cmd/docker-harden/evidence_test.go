package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

// sampleEvidence is of a container that works as the given one does.
func sampleEvidence(c *inventory.Container) *evidence.File {
	return &evidence.File{
		Format:    evidence.Format,
		Container: evidence.Container{ID: "c1", Name: c.Name, Image: c.Inspect.Image, Digest: c.Work().Digest()},
		Windows:   []evidence.Window{{Hook: "tp_btf/cap_capable"}},
		Checks:    []evidence.Check{{Capability: "NET_RAW", Call: "socket", Process: "ping", Times: evidence.Times{Count: 1}}},
		Memory:    evidence.Memory{WorkingSet: 50}, Pids: evidence.Pids{Most: 9},
	}
}

func evidencedContainer() inventory.Container {
	c := inventory.Container{ID: "c1", Name: "web", Raw: []byte("{}"), Usage: &inventory.Usage{WorkingSet: 10, Pids: 20}}
	c.Inspect.Image = "sha256:1"
	return c
}

func TestReadEvidenceRefuses(t *testing.T) {
	dir := t.TempDir()
	c := evidencedContainer()
	data, err := sampleEvidence(&c).Encode()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := readEvidence(write("good", 0o640)); err != nil {
		t.Errorf("a private file: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		write("wide", 0o620): "writable by group or others (mode 0620)", pipe: "not a regular file", dir: "not a regular file",
		filepath.Join(dir, "none"): "cannot open the evidence",
	} {
		if _, err := readEvidence(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// The largest of what is seen now and what was seen while it was watched counts.
func TestLearnt(t *testing.T) {
	c := evidencedContainer()
	h := &inventory.Host{Containers: []inventory.Container{c}}
	if err := learnt(h, []*evidence.File{sampleEvidence(&c)}); err != nil {
		t.Fatal(err)
	}
	if got := h.Containers[0]; got.Usage.WorkingSet != 50 || got.Usage.Pids != 20 || got.Learnt == nil {
		t.Errorf("%+v", got.Usage)
	}
	if err := learnt(h, []*evidence.File{sampleEvidence(&c)}); err == nil || !strings.Contains(err.Error(), "doubled") {
		t.Errorf("the same twice: %v", err)
	}
}
