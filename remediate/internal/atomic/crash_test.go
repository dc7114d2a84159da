package atomic_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"docker-harden/remediate/internal/atomic"
)

const crashFile = "ATOMIC_TEST_CRASH_FILE"

// crashSize makes one write take long enough to be hit in the middle.
const crashSize = 1 << 20

// A writer is killed at arbitrary instants. Whoever looks afterwards finds one whole version, and
// what the writer left beside it can be found and removed.
func TestKilledWriter(t *testing.T) {
	if path := os.Getenv(crashFile); path != "" {
		for i := 0; ; i++ {
			if err := atomic.WriteFile(path, bytes.Repeat([]byte{byte('a' + i%26)}, crashSize), atomic.Options{Keep: true}); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Print(".")
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, atomic.WriteFile(path, bytes.Repeat([]byte("z"), crashSize), plain()))
	hit := 0
	for i := range 30 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		cmd.Env = append(os.Environ(), crashFile+"="+path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = io.ReadFull(out, make([]byte, 1)) // it is at work
		must(t, err)
		time.Sleep(time.Duration(i) * 700 * time.Microsecond)
		must(t, cmd.Process.Kill())
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code == 1 {
			t.Fatal("the writer failed by itself")
		}
		got := look(t, path)
		if len(got.text) != crashSize || got.text != string(bytes.Repeat([]byte{got.text[0]}, crashSize)) || got.mode != 0o644 {
			t.Fatalf("after kill %d: %d bytes, mode %v: neither one version nor the other", i, len(got.text), got.mode)
		}
		left, err := atomic.Leftovers(path)
		must(t, err)
		hit += len(left)
		for _, name := range left {
			must(t, atomic.Remove(name))
		}
		alone(t, dir, "f")
	}
	if hit == 0 {
		t.Error("no kill hit a write: the test proves nothing")
	}
}
