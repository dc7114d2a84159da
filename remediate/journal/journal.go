package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// Journal is a generation that is being worked on. Its methods may be called one after another,
// never at the same time.
type Journal struct {
	gen    *Generation
	file   *os.File
	end    *os.File // says where file ends; nil where that cannot be written
	seq    int      // of the last record
	prev   string   // its hash
	length int64    // of the file up to it
	dead   error    // why nothing can be written any more
}

// Reopen opens generation n to append to it. A torn last line is moved out of the way, into a file
// beside it.
func (s *Store) Reopen(n int) (*Journal, error) {
	gen, c, err := s.load(n)
	if err != nil {
		return nil, err
	}
	j, err := open(gen, c)
	if err != nil {
		return nil, err
	}
	if err := j.mend(c.torn); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot reopen generation %d: %w", n, err), j.Close())
	}
	j.ends()
	if gen.State() != StateRolledBack {
		_ = renew(gen) // on a full disk the rollback is tried without
	}
	return j, nil
}

func open(gen *Generation, c content) (*Journal, error) {
	f, err := openPrivate(filepath.Join(gen.Dir, FileName), unix.O_RDWR|unix.O_APPEND)
	if err != nil {
		return nil, err
	}
	ending, err := openEnd(gen.Dir, end{len(c.records), c.last})
	if err != nil && !isFull(err) {
		return nil, errors.Join(err, f.Close())
	}
	return &Journal{gen: gen, file: f, end: ending, seq: len(c.records), prev: c.last, length: c.whole}, nil
}

// mend takes a torn last line away, after a copy of it is safe: nothing in a rollback file is thrown away.
func (j *Journal) mend(torn []byte) error {
	if len(torn) == 0 {
		return nil
	}
	own := atomic.Options{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o600}
	name := fmt.Sprintf("%s.torn-%d", FileName, j.seq+1)
	if err := atomic.WriteFile(filepath.Join(j.gen.Dir, name), torn, own); err != nil && !isFull(err) {
		return err
	}
	if err := j.file.Truncate(j.length); err != nil {
		return err
	}
	return j.file.Sync()
}

// Generation is the generation as it was when the journal was opened.
func (j *Journal) Generation() *Generation { return j.gen }

// Write appends a record and returns when it is on disk. data is marshalled to JSON; nil is none.
// When Write fails, the file is as it was before.
func (j *Journal) Write(kind Kind, step string, data any) error {
	raw, err := marshal(data)
	if err != nil {
		return err
	}
	return j.append(Record{Kind: kind, Step: step, Data: raw})
}

// WriteError appends a record about an error. Only its text is kept, and not more than a few KiB of it.
func (j *Journal) WriteError(kind Kind, step string, cause error) error {
	text := "unknown error"
	if cause != nil {
		text = cause.Error()
	}
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + " …"
	}
	return j.append(Record{Kind: kind, Step: step, Error: text})
}

// Close closes the file. What was written is on disk already.
func (j *Journal) Close() error {
	if j.dead == nil {
		j.dead = errors.New("it is closed")
	}
	if j.end != nil {
		_ = j.end.Close() // what was written is on disk already
		j.end = nil
	}
	return j.file.Close()
}

func (j *Journal) append(r Record) error {
	err := j.check(r)
	if err == nil {
		r.Seq, r.Time, r.Prev = j.seq+1, time.Now().UTC(), j.prev
		err = j.put(r)
		switch {
		case isFull(err) && back[r.Kind]:
			err = errors.Join(release(j.gen.Dir), j.put(r))
		case isFull(err) && last[r.Kind]:
			err = errors.Join(spend(j.gen.Dir), j.put(r))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write a %s record to %s: %w", r.Kind, j.file.Name(), err)
	}
	if r.Kind == RolledBack {
		_ = release(j.gen.Dir) // only space is lost
	}
	return nil
}

func (j *Journal) check(r Record) error {
	ofStep, ok := known[r.Kind]
	switch {
	case j.dead != nil:
		return j.dead
	case !ok || ofStep != (r.Step != ""):
		return fmt.Errorf("internal error: a %q record for step %q", r.Kind, r.Step)
	case ofStep && !slices.ContainsFunc(j.gen.Begin.Steps, func(s plan.Step) bool { return s.ID == r.Step }):
		return fmt.Errorf("internal error: generation %d has no step %q", j.gen.N, r.Step)
	}
	return nil
}

// put appends one line. If that fails half way, it takes the half back.
func (j *Journal) put(r Record) error {
	line, sum, err := r.encode()
	if err = errors.Join(j.dead, err); err != nil {
		return err
	}
	line = append(line, '\n')
	crash.Point("before record", string(r.Kind))
	if _, err := j.file.Write(line); err != nil {
		if terr := j.file.Truncate(j.length); terr != nil {
			j.dead = fmt.Errorf("an incomplete line could not be taken back: %w", terr)
		}
		return errors.Join(err, j.dead)
	}
	crash.Point("written, not on disk: record", string(r.Kind))
	if err := j.file.Sync(); err != nil {
		// The kernel may have dropped the data and would report success next time.
		j.dead = fmt.Errorf("the disk did not confirm an earlier line: %w", err)
		return errors.Join(err, j.file.Truncate(j.length))
	}
	j.seq, j.prev, j.length = r.Seq, sum, j.length+int64(len(line))
	crash.Point("on disk, its end not noted: record", string(r.Kind))
	j.ends()
	crash.Point("after record", string(r.Kind))
	return nil
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
