package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/remediate/journal"
)

// lines of a rollback file, each with its newline.
func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

// overwrite changes a file in place: some file systems make a file that is emptied first durable at
// once, and there are thousands here.
func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(data, 0)
	must(t, errors.Join(err, f.Truncate(int64(len(data))), f.Close()))
}

// Whatever a crash leaves of the end of the file: the records before it are read, or there is an error
// that names the file. The end file is as it was when the last whole record but one was written: as far
// behind as a crash can leave it.
func TestTruncatedAtEveryByte(t *testing.T) {
	row.Record(t, row.Row{Table: row.Daemon, ID: "80", Case: "a power loss tears the last line of the rollback file, at every byte", Rollback: "the whole lines before it are enough"})
	s, path := made(t, "")
	ends := endsOf(t, s, path, "prepared a, note a, done a, applied")
	data, err := os.ReadFile(path)
	must(t, err)
	first := bytes.IndexByte(data, '\n') + 1
	for n := range data {
		overwrite(t, path, data[:n])
		overwrite(t, endOf(path), ends[max(0, bytes.Count(data[:n], []byte("\n"))-2)])
		g, err := s.Load(1)
		if n < first {
			if !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), path+":1:") {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		whole := bytes.Count(data[:n], []byte("\n"))
		if err != nil || len(g.Records) != whole || g.Torn != (data[n-1] != '\n') {
			t.Fatalf("%d bytes: %v, %d records, want %d", n, err, len(g.Records), whole)
		}
	}
}

// Every single changed byte is noticed: refused with its line, or, where the end file is a record behind,
// in the last line only, taken for torn.
func TestFlippedAtEveryByte(t *testing.T) {
	s, path := made(t, "")
	ends := endsOf(t, s, path, "prepared a, note a, done a, applied")
	overwrite(t, endOf(path), ends[len(ends)-2])
	data, err := os.ReadFile(path)
	must(t, err)
	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for n := range data {
		line := bytes.Count(data[:n], []byte("\n")) + 1
		for _, with := range []byte{data[n] ^ 1, data[n] ^ 0x20, 0} {
			if with == data[n] {
				continue
			}
			changed := bytes.Clone(data)
			changed[n] = with
			overwrite(t, path, changed)
			g, err := s.Load(1)
			switch {
			case err != nil:
				if !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), fmt.Sprintf("%s:%d: ", path, line)) {
					t.Fatalf("byte %d of line %d: %v", n, line, err)
				}
			case n < last || !g.Torn || len(g.Records) != 4:
				t.Fatalf("byte %d (%q to %q) of line %d went unnoticed", n, data[n], with, line)
			}
		}
	}
}

func TestDamage(t *testing.T) {
	for _, test := range []struct {
		name, want string
		edit       func([][]byte) [][]byte
	}{
		{"a line is missing", ":3: record 4 stands where record 3 belongs", func(l [][]byte) [][]byte { return append(l[:2:2], l[3:]...) }},
		{"the first line is missing", ":1: record 2 stands where record 1 belongs", func(l [][]byte) [][]byte { return l[1:] }},
		{"two lines swapped", ":2: record 3 stands", func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l }},
		{"a line twice", ":3: record 2 stands", func(l [][]byte) [][]byte { return append(l[:2:2], l[1:]...) }},
		{"an empty line", ":3: it does not end with its hash", func(l [][]byte) [][]byte { return append(l[:2:2], append([][]byte{{'\n'}}, l[2:]...)...) }},
		{"foreign text at the end", "does not end with its hash", func(l [][]byte) [][]byte { return append(l, []byte("\nhello\n")) }},
		{"an edit", ":2: its hash does not match", func(l [][]byte) [][]byte {
			l[1] = bytes.Replace(l[1], []byte(`"prepared"`), []byte(`"confirmed"`), 1)
			return l
		}},
		{"empty", ":1: the begin record is missing", func([][]byte) [][]byte { return nil }},
		{"zeros", ":1: the begin record is missing", func([][]byte) [][]byte { return [][]byte{make([]byte, 4096)} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, path := made(t, "prepared a, note a, done a, applied")
			must(t, os.WriteFile(path, bytes.Join(test.edit(lines(t, path)), nil), 0o600))
			_, err := s.Load(1)
			if !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if _, err := s.Reopen(1); !errors.Is(err, journal.ErrBroken) {
				t.Errorf("reopened: %v", err)
			}
			if _, err := s.Latest(); !errors.Is(err, journal.ErrBroken) {
				t.Errorf("latest: %v", err)
			}
		})
	}
}

// A line of one generation does not fit into another, though its own hash is right.
func TestForeignLine(t *testing.T) {
	_, other := made(t, "prepared b, done b")
	s, path := made(t, "prepared a, done a, applied")
	l := lines(t, path)
	l[1] = lines(t, other)[1]
	must(t, os.WriteFile(path, bytes.Join(l, nil), 0o600))
	if _, err := s.Load(1); err == nil || !strings.Contains(err.Error(), ":2: it does not follow the line before") {
		t.Errorf("got %v", err)
	}
}

// A generation's directory under another number is another generation's file.
func TestMovedGeneration(t *testing.T) {
	s, path := made(t, "applied")
	one := filepath.Dir(path)
	must(t, os.Rename(one, filepath.Join(filepath.Dir(one), "2")))
	if _, err := s.Load(2); !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), "belongs to generation 1") {
		t.Errorf("got %v", err)
	}
}

// Files written by other versions, whose hashes are right.
func TestOtherVersions(t *testing.T) {
	fixtures := "../../fixtures/journals"
	for name, want := range map[string]string{
		"interrupted.jsonl":    "",
		"later-format.jsonl":   `:1: its format is "docker-harden/rollback/v2", this version reads "docker-harden/rollback/v1"`,
		"later-kind.jsonl":     `:3: its kind "postponed" is unknown`,
		"edited.jsonl":         ":2: its hash does not match",
		"no-begin.jsonl":       ":1: it is not the begin record",
		"begin-in-prose.jsonl": ":1: it is no record",
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(fixtures, name))
			must(t, err)
			s, path := made(t, "")
			must(t, os.WriteFile(path, data, 0o600))
			must(t, os.Remove(endOf(path))) // they had none
			g, err := s.Load(1)
			if want == "" {
				must(t, err)
				if g.State() != journal.StateApplying || ids(g.UndoOrder()) != "container/web daemon" {
					t.Errorf("%s %s", g.State(), ids(g.UndoOrder()))
				}
				return
			}
			if !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// No error may repeat what a record holds: it can be a password.
func TestErrorsHoldNoData(t *testing.T) {
	s, dir := open(t)
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.Write(journal.Prepared, "a", map[string]string{"env": "PASSWORD=hunter2"}))
	must(t, j.Write(journal.Done, "a", nil))
	must(t, j.Close())
	path := filepath.Join(dir, "generations", "1", journal.FileName)
	data, err := os.ReadFile(path)
	must(t, err)
	at := bytes.Index(data, []byte("hunter2"))
	for n := at - 60; n < at+60; n++ {
		changed := bytes.Clone(data)
		changed[n] ^= 1
		overwrite(t, path, changed)
		if _, err := s.Load(1); err == nil || strings.Contains(err.Error(), "PASS") || strings.Contains(err.Error(), "unter") {
			t.Errorf("byte %d: %v", n, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	data, err := os.ReadFile("../../fixtures/journals/interrupted.jsonl")
	must(f, err)
	s, path := made(f, "")
	must(f, os.Remove(endOf(path)))
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add(bytes.Replace(data, []byte("note"), []byte("done"), 1))
	f.Add(append(bytes.Clone(data), 0, 0, '\n'))
	f.Fuzz(func(t *testing.T, damaged []byte) {
		must(t, os.WriteFile(path, damaged, 0o600))
		g, err := s.Load(1)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		// What is accepted is what was written, or the beginning of it.
		accepted := bytes.Join(bytes.SplitAfter(damaged, []byte("\n"))[:len(g.Records)], nil)
		if !bytes.HasPrefix(data, accepted) {
			t.Errorf("accepted %q", accepted)
		}
	})
}
