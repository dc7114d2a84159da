package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestEmptyDir(t *testing.T) {
	dir := t.TempDir()
	if !emptyDir(dir) {
		t.Error("a new directory is not empty")
	}
	if emptyDir(filepath.Join(dir, "none")) {
		t.Error("what is not there counts as empty")
	}
	for i := range 40 { // more than one answer of the kernel
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d-%0200d", i, i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if emptyDir(dir) {
			t.Fatalf("%d files count as none", i+1)
		}
	}
	if emptyDir(filepath.Join(dir, fmt.Sprintf("%02d-%0200d", 0, 0))) {
		t.Error("a file counts as an empty directory")
	}
}

func TestReadUntil(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, records, records + 1, page - 1, page, page + 1, 3 * page, 100_000} {
		text := make([]byte, size)
		for i := range text {
			text[i] = byte(i)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, enough := range []int{0, records} {
			got, err := readUntil(name, 100_000, enough)
			if err != nil || string(got) != string(text) {
				t.Errorf("%d bytes, enough %d: got %d (%v)", size, enough, len(got), err)
			}
		}
		if _, err := readUntil(name, int64(size)-1, 0); err == nil {
			t.Errorf("%d bytes are read although one is too many", size)
		}
	}
}
