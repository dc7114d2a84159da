package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
)

// EndName is the file in a generation that says where the rollback file ends: the number and the hash
// of its last record. Without it, a rollback file that lost whole lines at its end would look like one
// of a run that was interrupted earlier.
const EndName = "rollback.end"

// The file has two places, used in turn, each in a block of the file system of its own: a crash while
// one is written leaves the other. It is written after the record it speaks of is on disk, so it is
// never ahead of a whole rollback file; it may be behind.
const (
	endBlock  = 4096
	endPlaces = 2
	endLine   = "%012d %s %s\n" // number, hash, and a hash of both that shows a torn write
	endCheck  = 16              // digits of that hash
)

// end is where a rollback file ends.
type end struct {
	seq int
	sum string
}

// place is one of the places, filled to its block.
func (e end) place() []byte {
	out := make([]byte, endBlock)
	copy(out, fmt.Sprintf(endLine, e.seq, e.sum, e.check()))
	return out
}

func (e end) check() string { return hash(fmt.Appendf(nil, "%d %s", e.seq, e.sum))[:endCheck] }

// at is where in the file e belongs.
func (e end) at() int64 { return int64(e.seq%endPlaces) * endBlock }

// first is the whole file of a rollback file that has its begin record alone.
func (e end) first() []byte {
	out := make([]byte, endPlaces*endBlock)
	copy(out[e.at():], e.place())
	return out
}

// readPlace reads one place; false: nothing was written there, or not all of it.
func readPlace(data []byte) (end, bool) {
	line, _, _ := strings.Cut(string(data), "\n")
	var e end
	var check string
	if n, err := fmt.Sscanf(line, "%d %s %s", &e.seq, &e.sum, &check); n != 3 || err != nil {
		return end{}, false
	}
	return e, e.seq > 0 && check == e.check()
}

// readEnd reads the end file of a generation. false: there is none.
func readEnd(dir string) (end, bool, error) {
	path := filepath.Join(dir, EndName)
	f, err := openPrivate(path, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return end{}, false, nil
	}
	if err != nil {
		return end{}, false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, endPlaces*endBlock))
	if err != nil {
		return end{}, false, fmt.Errorf("cannot read %s: %w", path, err)
	}
	var last end
	for len(data) > 0 {
		n := min(len(data), endBlock)
		if e, ok := readPlace(data[:n]); ok && e.seq > last.seq {
			last = e
		}
		data = data[n:]
	}
	if last.seq == 0 {
		return end{}, false, fmt.Errorf("%w: %s is not as it was written, so nobody knows whether %s is whole; bring both back from a backup",
			ErrBroken, path, FileName)
	}
	return last, true, nil
}

// reaches says whether the records go as far as the end file says, if there is one; where not, it names
// the line. Further is well: a crash can come between a record and its end.
func (c *content) reaches(e end, known bool) (line int, err error) {
	have := len(c.records)
	switch {
	case !known && c.guarded:
		return have, fmt.Errorf("the file that says where it ends, %s, is missing beside it", EndName)
	case !known:
		return 0, nil // of an earlier version
	case e.seq > have:
		return have + 1, fmt.Errorf("lines are missing at its end: record %d was written, and the last one here is record %d", e.seq, have)
	case c.sums[e.seq-1] != e.sum:
		return e.seq, errors.New("it is not the record that was written there")
	}
	return 0, nil
}

// openEnd opens the end file of a generation to write to it. Where an earlier version made the
// generation it is made now.
func openEnd(dir string, now end) (*os.File, error) {
	path := filepath.Join(dir, EndName)
	f, err := openPrivate(path, unix.O_RDWR)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	own := atomic.Options{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o600}
	if err := atomic.WriteFile(path, now.first(), own); err != nil {
		return nil, err
	}
	return openPrivate(path, unix.O_RDWR)
}

// ends notes where the rollback file ends now. It takes no space, so that a full disk is no reason to
// fail; where it fails all the same, the record stays written and counts: the way back must not
// depend on a file that only guards it.
func (j *Journal) ends() {
	if j.end == nil {
		return
	}
	e := end{j.seq, j.prev}
	if _, err := j.end.WriteAt(e.place(), e.at()); err == nil {
		err = unix.Fdatasync(int(j.end.Fd()))
		if err == nil {
			return
		}
	}
	_ = j.end.Close()
	j.end = nil // it stays behind, which says nothing wrong
}
