package atomic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Somebody else's edit between the look and the rename must not be lost.
func TestConcurrentEditIsSeen(t *testing.T) {
	for name, edit := range map[string]func(path string) error{
		"written":  func(path string) error { return os.WriteFile(path, []byte("theirs"), 0o600) },
		"mode":     func(path string) error { return os.Chmod(path, 0o640) },
		"replaced": func(path string) error { return os.Rename(path+".other", path) },
		"removed":  os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			for _, p := range []string{path, path + ".other"} {
				if err := os.WriteFile(p, []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			dir, err := openDir(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			before, err := lookAt(dir, "f")
			if err != nil {
				t.Fatal(err)
			}
			if err := before.unchanged(dir, "f"); err != nil {
				t.Errorf("untouched: %v", err)
			}
			time.Sleep(10 * time.Millisecond) // kernels keep change times in steps of a few ms
			if err := edit(path); err != nil {
				t.Fatal(err)
			}
			if err := before.unchanged(dir, "f"); err == nil || !strings.Contains(err.Error(), "somebody else") {
				t.Errorf("got %v", err)
			}
		})
	}
	dir, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	nothing, err := lookAt(dir, "new")
	if err != nil || nothing.exists {
		t.Fatalf("%+v %v", nothing, err)
	}
	if err := os.WriteFile(filepath.Join(dir.Name(), "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if nothing.unchanged(dir, "new") == nil {
		t.Error("a file that appeared meanwhile was not seen")
	}
}
