package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxFile bounds a rollback file; one of 1000 recreated containers has about 100 MiB.
const maxFile = 1 << 30

// content is what a rollback file holds.
type content struct {
	begin   Begin
	records []Record
	sums    []string // their hashes
	whole   int64    // bytes of whole lines
	torn    []byte   // what follows them
	last    string   // hash of the last whole line
	guarded bool     // an end file belongs to it
}

// readFile reads and checks the rollback file of generation n.
func readFile(dir string, n int) (content, error) {
	path := filepath.Join(dir, FileName)
	// Before the file itself: whoever reads while a run writes must not find the end ahead of it.
	last, known, endErr := readEnd(dir)
	f, err := openPrivate(path, unix.O_RDONLY)
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return content{}, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if len(data) > maxFile {
		return content{}, fmt.Errorf("cannot read %s: it has more than %d bytes", path, maxFile)
	}
	c, line, err := parse(data, n)
	if err == nil {
		if endErr != nil {
			return content{}, endErr
		}
		line, err = c.reaches(last, known)
	}
	if err != nil {
		return content{}, fmt.Errorf("%w: %s:%d: %w; nothing of it is used: bring the file back from a backup, or read it and undo by hand",
			ErrBroken, path, line, err)
	}
	return c, nil
}

// parse checks a whole rollback file. On error it names the line, from 1.
func parse(data []byte, n int) (c content, line int, err error) {
	for len(data) > 0 {
		line++
		text, rest, ended := bytes.Cut(data, []byte("\n"))
		if !ended || len(rest) == 0 && torn(text) {
			c.torn = data
			break
		}
		r, sum, err := decode(text)
		if err == nil {
			err = c.follows(r)
		}
		if err == nil && line == 1 {
			c.begin, c.guarded, err = readBegin(r, n)
		}
		if err != nil {
			return content{}, line, err
		}
		c.records, c.sums, c.last = append(c.records, r), append(c.sums, sum), sum
		c.whole += int64(len(text)) + 1
		data = rest
	}
	if len(c.records) == 0 {
		return content{}, 1, errors.New("the begin record is missing or incomplete")
	}
	return c, 0, nil
}

// torn recognises a last line whose blocks reached the disk in another order than they were
// written: what did not arrive reads as zeros, which no record contains. A whole record before the
// zeros is not torn: there, the end of a line was overwritten.
func torn(text []byte) bool {
	before, _, zeros := bytes.Cut(text, []byte{0})
	if !zeros {
		return false
	}
	_, _, err := decode(before)
	return err != nil
}

// follows says whether r can be the next record.
func (c *content) follows(r Record) error {
	switch want := len(c.records) + 1; {
	case r.Seq != want:
		return fmt.Errorf("record %d stands where record %d belongs: lines are missing or were moved", r.Seq, want)
	case r.Prev != c.last:
		return errors.New("it does not follow the line before: the chain of hashes is broken")
	}
	if len(c.records) == 0 {
		return nil
	}
	if _, ok := known[r.Kind]; !ok {
		return fmt.Errorf("its kind %q is unknown; use the version of docker-harden that wrote it", r.Kind)
	}
	return nil
}
