package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// Names inside a store.
const (
	FileName = "rollback.jsonl" // in a generation: the rollback file
	PlanName = "plan.json"      // in a generation: the plan as reviewed

	generations = "generations"
	unborn      = ".new-" // begins the name of a generation that is being made
)

var (
	// ErrNone says that there is no such generation.
	ErrNone = errors.New("no such generation")
	// ErrBroken says that a rollback file is not as it was written.
	ErrBroken = errors.New("the rollback file is damaged")
)

// Store is the directory that holds every generation of a host.
type Store struct {
	dir   string // of the generations
	state string
}

// Open opens the store below stateDir and makes what is missing of it; the directory above stateDir
// must exist. It refuses a directory that is a symlink, belongs to somebody else or is open to others.
func Open(stateDir string) (*Store, error) {
	s := &Store{dir: filepath.Join(stateDir, generations), state: stateDir}
	for _, dir := range []string{s.state, s.dir} {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
		if err := privateDir(dir); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Look opens a store to read it. It makes nothing: where there is no directory yet, the store is empty.
func Look(stateDir string) (*Store, error) {
	s := &Store{dir: filepath.Join(stateDir, generations), state: stateDir}
	for _, dir := range []string{s.state, s.dir} {
		if err := privateDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return s, nil
}

// numbers lists the generations that exist, in ascending order.
func (s *Store) numbers() ([]int, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list generations: %w", err)
	}
	var found []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 && strconv.Itoa(n) == e.Name() {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	return found, nil
}

func (s *Store) path(n int) string { return filepath.Join(s.dir, strconv.Itoa(n)) }

// Load reads generation n.
func (s *Store) Load(n int) (*Generation, error) {
	gen, _, err := s.load(n)
	return gen, err
}

func (s *Store) load(n int) (*Generation, content, error) {
	dir := s.path(n)
	if _, err := os.Lstat(dir); n < 1 || errors.Is(err, fs.ErrNotExist) {
		return nil, content{}, fmt.Errorf("%w: there is no generation %d; docker-harden history lists them", ErrNone, n)
	}
	if err := privateDir(dir); err != nil {
		return nil, content{}, err
	}
	c, err := readFile(dir, n)
	if err != nil {
		return nil, content{}, err
	}
	gen := &Generation{N: n, Dir: dir, Begin: c.begin, Records: c.records, Torn: len(c.torn) > 0}
	gen.fold()
	return gen, c, nil
}

// Latest reads the newest generation. It returns ErrNone when there is none, and an error when the
// newest is broken.
func (s *Store) Latest() (*Generation, error) {
	all, err := s.numbers()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: nothing was applied yet", ErrNone)
	}
	return s.Load(all[len(all)-1])
}

// List reads every generation, oldest first. One that cannot be read stands there with its Err.
func (s *Store) List() ([]*Generation, error) {
	all, err := s.numbers()
	if err != nil {
		return nil, err
	}
	out := make([]*Generation, 0, len(all))
	for _, n := range all {
		gen, err := s.Load(n)
		if err != nil {
			gen = &Generation{N: n, Dir: s.path(n), Err: err}
		}
		out = append(out, gen)
	}
	return out, nil
}

// Create begins the next generation. A crash on the way leaves the whole generation, with its begin
// record, or none.
func (s *Store) Create(b Begin) (*Journal, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	all, err := s.numbers()
	if err != nil {
		return nil, err
	}
	n := 1
	if len(all) > 0 {
		n = all[len(all)-1] + 1
	}
	if err := s.clean(); err != nil {
		return nil, err
	}
	j, err := s.create(n, b)
	if err != nil {
		return nil, fmt.Errorf("cannot begin generation %d: %w", n, err)
	}
	return j, nil
}

func (s *Store) create(n int, b Begin) (_ *Journal, err error) {
	temp, err := os.MkdirTemp(s.dir, unborn)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	own := atomic.Options{UID: os.Geteuid(), GID: os.Getegid(), Mode: 0o600}
	if err := atomic.WriteFile(filepath.Join(temp, PlanName), b.Plan, own); err != nil {
		return nil, err
	}
	first, sum, err := firstLine(n, b)
	if err != nil {
		return nil, err
	}
	if err := atomic.WriteFile(filepath.Join(temp, FileName), append(first, '\n'), own); err != nil {
		return nil, err
	}
	if err := atomic.WriteFile(filepath.Join(temp, EndName), end{1, sum}.first(), own); err != nil {
		return nil, err
	}
	if err := reserve(temp, len(b.Steps)); err != nil {
		return nil, err
	}
	crash.Point("before naming the generation")
	if err := rename(temp, s.path(n)); err != nil {
		return nil, err
	}
	crash.Point("generation named")
	temp = s.path(n)
	if err := atomic.SyncDir(s.dir); err != nil {
		return nil, err
	}
	gen := &Generation{N: n, Dir: s.path(n), Begin: b}
	gen.fold()
	return open(gen, content{whole: int64(len(first)) + 1, last: sum, records: make([]Record, 1)})
}

func firstLine(n int, b Begin) (line []byte, sum string, err error) {
	data, err := marshal(beginData{Format: Format, Generation: n, Guarded: true, Begin: b})
	if err != nil {
		return nil, "", err
	}
	return Record{Seq: 1, Time: time.Now().UTC(), Kind: KindBegin, Data: data}.encode()
}

// rename gives a generation its name, and never takes another's.
func rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without the flag
		err = os.Rename(from, to)
	}
	if err != nil {
		return fmt.Errorf("cannot name %s: %w", to, err)
	}
	return nil
}

// clean removes generations that a crash left unborn.
func (s *Store) clean() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("cannot list generations: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unborn) {
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return fmt.Errorf("cannot remove an unfinished generation: %w", err)
			}
		}
	}
	return nil
}
