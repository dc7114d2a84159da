package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"docker-harden/remediate/journal"
)

func endOf(path string) string { return filepath.Join(filepath.Dir(path), journal.EndName) }

// endsOf writes these records and returns what the end file held after each record, the begin record first.
func endsOf(t *testing.T, s *journal.Store, path, records string) [][]byte {
	t.Helper()
	read := func() []byte {
		data, err := os.ReadFile(endOf(path))
		must(t, err)
		return data
	}
	ends := [][]byte{read()}
	j, err := s.Reopen(1)
	must(t, err)
	for record := range strings.SplitSeq(records, ",") {
		write(t, j, record)
		ends = append(ends, read())
	}
	must(t, j.Close())
	return ends
}

// A rollback file that lost whole lines at its end is refused, however many and whatever they said:
// what is left looks like an earlier moment, at which other things were to be undone.
func TestLostEnd(t *testing.T) {
	s, path := made(t, "prepared a, note a, done a, prepared b, done b, applied")
	whole, err := os.ReadFile(path)
	must(t, err)
	l := lines(t, path)
	for n := 1; n < len(l); n++ {
		for _, rest := range []string{"", `{"seq":`, "\x00\x00\x00\n"} { // and whether or not a line is torn
			overwrite(t, path, append(bytes.Join(l[:n], nil), rest...))
			_, err := s.Load(1)
			want := fmt.Sprintf("%s:%d: lines are missing at its end: record %d was written, and the last one here is record %d", path, n+1, len(l), n)
			if !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("%d of %d lines: %v", n, len(l), err)
			}
			if _, err := s.Reopen(1); !errors.Is(err, journal.ErrBroken) {
				t.Errorf("%d lines: reopened: %v", n, err)
			}
		}
	}
	overwrite(t, path, whole)
	load(t, s, 1)
}

// The last line with one byte changed is no torn line: it was on disk whole.
func TestLastLineIsNotTornAgain(t *testing.T) {
	s, path := made(t, "prepared a, done a")
	data, err := os.ReadFile(path)
	must(t, err)
	overwrite(t, path, data[:len(data)-1])
	if _, err := s.Load(1); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("without its newline: %v", err)
	}
}

// An older copy of the file with other lines after it is not the file that was written.
func TestOtherEnd(t *testing.T) {
	s, path := made(t, "prepared a")
	old, err := os.ReadFile(path)
	must(t, err)
	oldEnd, err := os.ReadFile(endOf(path))
	must(t, err)
	j, err := s.Reopen(1)
	must(t, err)
	write(t, j, "note a, done a")
	must(t, j.Close())
	newEnd, err := os.ReadFile(endOf(path))
	must(t, err)
	overwrite(t, path, old)
	overwrite(t, endOf(path), oldEnd)
	j, err = s.Reopen(1)
	must(t, err)
	write(t, j, "failed a !, undoing a")
	must(t, j.Close())
	overwrite(t, endOf(path), newEnd)
	if _, err := s.Load(1); !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), path+":4: it is not the record that was written there") {
		t.Errorf("got %v", err)
	}
}

// The end file itself: a crash can tear the place that is being written, never both; whatever else is
// wrong with it is refused.
func TestDamagedEnd(t *testing.T) {
	const records, block = "prepared a, note a, done a", 4096
	for _, test := range []struct {
		name, want string
		spoil      func(path string, data []byte)
	}{
		{"nothing", "", func(string, []byte) {}},
		{"the older place torn", "", func(path string, data []byte) {
			overwrite(t, path, append(make([]byte, 0, 2*block), spoil(data, block)...))
		}},
		{"the newer place torn", "", func(path string, data []byte) { overwrite(t, path, spoil(data, 0)) }},
		{"shorter by a place", "", func(path string, data []byte) { overwrite(t, path, data[:block]) }},
		{"both torn", "is not as it was written", func(path string, data []byte) { overwrite(t, path, spoil(spoil(data, 0), block)) }},
		{"empty", "is not as it was written", func(path string, _ []byte) { overwrite(t, path, nil) }},
		{"zeros", "is not as it was written", func(path string, _ []byte) { overwrite(t, path, make([]byte, 2*block)) }},
		{"text", "is not as it was written", func(path string, _ []byte) { overwrite(t, path, []byte("000000000002 x y\n")) }},
		{"missing", journal.EndName + ", is missing", func(path string, _ []byte) { must(t, os.Remove(path)) }},
		{"a symlink", "it is a symlink", func(path string, _ []byte) {
			must(t, errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)))
		}},
		{"open to others", "others may open it", func(path string, _ []byte) { must(t, os.Chmod(path, 0o644)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, path := made(t, records)
			data, err := os.ReadFile(endOf(path))
			must(t, err)
			if len(data) != 2*block {
				t.Fatalf("%d bytes", len(data))
			}
			test.spoil(endOf(path), bytes.Clone(data))
			g, err := s.Load(1)
			if test.want == "" {
				must(t, err)
				if len(g.Records) != 4 {
					t.Errorf("%d records", len(g.Records))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), journal.EndName) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// spoil changes one byte of the place that begins here.
func spoil(data []byte, at int) []byte { data[at+20] ^= 1; return data }

// A generation of an earlier version has no end file. It is read as it is, and gets one when work goes on.
func TestEarlierVersion(t *testing.T) {
	data, err := os.ReadFile("../../fixtures/journals/interrupted.jsonl")
	must(t, err)
	s, path := made(t, "")
	must(t, errors.Join(os.Remove(endOf(path)), os.WriteFile(path, data, 0o600)))
	n := len(load(t, s, 1).Records)
	j, err := s.Reopen(1)
	must(t, err)
	must(t, j.Write(journal.Resumed, "", nil))
	must(t, j.Close())
	if g := load(t, s, 1); len(g.Records) != n+1 {
		t.Errorf("%d records", len(g.Records))
	}
	overwrite(t, path, data)
	if _, err := s.Load(1); !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), "lines are missing at its end") {
		t.Errorf("got %v", err)
	}
}

// A run of an earlier version leaves the end behind; that says nothing wrong, and the next run mends it.
func TestEndBehind(t *testing.T) {
	s, path := made(t, "prepared a")
	before, err := os.ReadFile(endOf(path))
	must(t, err)
	j, err := s.Reopen(1)
	must(t, err)
	write(t, j, "note a, note a, done a")
	must(t, j.Close())
	overwrite(t, endOf(path), before)
	if g := load(t, s, 1); len(g.Records) != 5 {
		t.Errorf("%d records", len(g.Records))
	}
	j, err = s.Reopen(1)
	must(t, err)
	must(t, j.Close())
	l := lines(t, path)
	overwrite(t, path, bytes.Join(l[:4], nil))
	if _, err := s.Load(1); !errors.Is(err, journal.ErrBroken) {
		t.Errorf("got %v", err)
	}
}

// Whoever looks while a run writes sees a whole rollback file.
func TestReadWhileWritten(t *testing.T) {
	s, _ := made(t, "prepared a")
	j, err := s.Reopen(1)
	must(t, err)
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Load(1); err != nil {
				t.Errorf("while it was written: %v", err)
				return
			}
		}
	})
	for range 80 {
		must(t, j.Write(journal.Note, "a", strings.Repeat("x", 5000)))
	}
	close(stop)
	done.Wait()
	must(t, j.Close())
}
