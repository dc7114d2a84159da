package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/journal"
)

const insideMounts = "JOURNAL_TEST_INSIDE"

// smallDisk runs the test once more in a mount namespace of its own and gives it a file system of
// this size there. It returns "" outside.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
	if os.Getenv(insideMounts) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), insideMounts+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return ""
	}
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// fill leaves no byte free.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	must(t, err)
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// A disk that fills up during an apply stops the apply, and does not stop its rollback.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "1m")
	if dir == "" {
		return
	}
	s, err := journal.Open(dir)
	must(t, err)
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.Write(journal.Prepared, "a", nil))
	fill(t, dir)
	big := json.RawMessage(fmt.Sprintf("%q", strings.Repeat("x", 64<<10)))
	if err := j.Write(journal.Prepared, "b", big); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), journal.FileName) {
		t.Errorf("got %v", err)
	}
	if g := load(t, s, 1); g.Torn || len(g.Records) != 2 {
		t.Errorf("torn %v, %d records", g.Torn, len(g.Records))
	}
	for _, step := range []string{"b", "a"} {
		must(t, j.WriteError(journal.Failed, step, errors.New(strings.Repeat("e", 1<<20))))
		must(t, j.Write(journal.Undoing, step, nil))
		must(t, j.WriteError(journal.UndoFailed, step, errors.New(strings.Repeat("e", 1<<20))))
	}
	must(t, j.WriteError(journal.RollbackIncomplete, "", errors.New(strings.Repeat("e", 1<<20))))
	must(t, j.Close())
	// Later, and still no space.
	fill(t, dir)
	must(t, os.WriteFile(filepath.Join(dir, "generations", "1", journal.FileName+".torn-9"), nil, 0o600))
	j, err = s.Reopen(1)
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "filler")))
	must(t, j.Write(journal.Undone, "a", nil))
	if g := load(t, s, 1); g.State() != journal.StateRollbackIncomplete && g.State() != journal.StateRolledBack {
		t.Errorf("%s", g.State())
	}
	must(t, j.Close())
}

// An apply whose every step is done says so on a full disk too, and is rolled back on it.
func TestFullDiskAtEnd(t *testing.T) {
	dir := smallDisk(t, "1m")
	if dir == "" {
		return
	}
	s, err := journal.Open(dir)
	must(t, err)
	j, err := s.Create(begin())
	must(t, err)
	for _, step := range []string{"a", "b"} {
		must(t, j.Write(journal.Prepared, step, nil))
		must(t, j.Write(journal.Done, step, nil))
	}
	fill(t, dir)
	must(t, j.Write(journal.Verified, "", json.RawMessage(fmt.Sprintf("%q", strings.Repeat("x", 9<<10)))))
	fill(t, dir)
	must(t, j.Write(journal.Applied, "", nil))
	if g := load(t, s, 1); g.State() != journal.StateApplied || g.Unfinished() {
		t.Errorf("%s", g.State())
	}
	fill(t, dir)
	must(t, j.Write(journal.RollingBack, "", nil))
	for _, step := range []string{"b", "a"} {
		must(t, j.Write(journal.Undoing, step, nil))
		must(t, j.WriteError(journal.UndoFailed, step, errors.New(strings.Repeat("e", 1<<20))))
	}
	must(t, j.WriteError(journal.RollbackIncomplete, "", errors.New(strings.Repeat("e", 1<<20))))
	must(t, j.Close())
}

// On a full disk a generation is not begun, and nothing of it remains.
func TestFullDiskAtBegin(t *testing.T) {
	dir := smallDisk(t, "100k")
	if dir == "" {
		return
	}
	s, err := journal.Open(dir)
	must(t, err)
	if _, err := s.Create(begin()); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "cannot begin generation 1") {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "generations"))
	if err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

const crashState = "JOURNAL_TEST_CRASH_STATE"

// A writer is killed at arbitrary instants. Every generation it left is whole, every record that it
// was told is written is there, and the next writer goes on.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv(crashState); dir != "" {
		writeForever(dir)
	}
	s, dir := open(t)
	for i := range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		cmd.Env = append(os.Environ(), crashState+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		first := make([]byte, 1+3*i) // it is at work
		_, err = io.ReadFull(out, first)
		must(t, err)
		time.Sleep(time.Duration(i) * 130 * time.Microsecond)
		must(t, cmd.Process.Kill())
		rest, err := io.ReadAll(out)
		must(t, err)
		_ = cmd.Wait()
		told := string(first) + string(rest)
		if strings.Contains(told, "error") {
			t.Fatal(told)
		}
		all, err := s.List()
		must(t, err)
		records := 0
		for _, g := range all {
			must(t, g.Err)
			records += len(g.Records)
			j, err := s.Reopen(g.N)
			must(t, err)
			must(t, j.Close())
		}
		if acknowledged := strings.Count(told, "."); records < acknowledged {
			t.Fatalf("%d records, %d were acknowledged", records, acknowledged)
		}
		must(t, os.RemoveAll(filepath.Join(dir, "generations")))
		s, err = journal.Open(dir)
		must(t, err)
	}
}

func writeForever(dir string) {
	s, err := journal.Open(dir)
	for err == nil {
		var j *journal.Journal
		if j, err = s.Create(begin()); err != nil {
			break
		}
		fmt.Print(".")
		for i := 0; i < 8 && err == nil; i++ {
			if err = j.Write(journal.Note, "a", strings.Repeat("x", 10000)); err == nil {
				fmt.Print(".")
			}
		}
		if err == nil {
			err = j.Close()
		}
	}
	fmt.Println("error", err)
	os.Exit(1)
}
