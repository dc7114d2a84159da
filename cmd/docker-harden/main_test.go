package main

import (
	"os"
	"path/filepath"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/cmd/testhost/leak"
)

// TestMain runs the tests inside an isolated Docker host. The test binary is the tool itself where
// it is called by the tool's name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		main()
		return
	}
	host.Main(leak.Checked(m, leak.Engines()))
}

// binary makes a directory in which the tool is found by its name.
func binary(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, program)); err != nil {
		t.Fatal(err)
	}
	return dir
}
