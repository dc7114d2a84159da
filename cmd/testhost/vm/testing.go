package vm

import (
	"bytes"
	"os"
	"testing"
)

// Boot starts a machine for a test, at whose end it is removed.
func Boot(t testing.TB) *Machine {
	t.Helper()
	m, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Exec runs a shell script in the machine and returns what it printed, without surrounding space. The test
// fails when the script does.
func (m *Machine) Exec(t testing.TB, script string) string {
	t.Helper()
	out, code, err := m.Run(t.Context(), nil, script)
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 {
		t.Fatalf("%s\n%s\nexit %d", script, out, code)
	}
	return out
}

// CopyIn copies a file of this machine, with its mode, into the virtual one.
func (m *Machine) CopyIn(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	mode := "0644"
	if info.Mode()&0o111 != 0 {
		mode = "0755"
	}
	script := "install -D -m " + mode + " /dev/stdin " + quote(to)
	if err := m.must(t.Context(), bytes.NewReader(data), script); err != nil {
		t.Fatal(err)
	}
}
