package membership

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

const (
	groups  = "root:x:0:\ndocker-users:x:41:bob\ndocker:x:998:alice,bob,ci\nlast:x:999:bob"
	shadows = "root:*::\ndocker:$6$secret:admin:alice,bob\n"
)

// rig is a host of files.
type rig struct {
	*Handler
	t *testing.T
}

func newRig(t *testing.T) rig {
	t.Helper()
	r := rig{&Handler{Root: t.TempDir()}, t}
	if err := os.Mkdir(filepath.Join(r.Root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write(inventory.GroupFile, groups)
	r.write(shadowFile, shadows)
	return r
}

func (r rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.Root+name, []byte(text), 0o640); err != nil {
		r.t.Fatal(err)
	}
}

func (r rig) read(name string) string {
	r.t.Helper()
	data, err := os.ReadFile(r.Root + name)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

func (r rig) is(group, shadow string) {
	r.t.Helper()
	if got := r.read(inventory.GroupFile); got != group {
		r.t.Errorf("/etc/group is\n%s\nwant\n%s", got, group)
	}
	if got := r.read(shadowFile); got != shadow {
		r.t.Errorf("/etc/gshadow is\n%s\nwant\n%s", got, shadow)
	}
}

func (r rig) prepared() remediate.Record {
	r.t.Helper()
	undo, err := r.Prepare(r.t.Context(), taking(`["alice","bob","ci"]`, `["alice"]`))
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.Contains(string(undo), "secret") {
		r.t.Error("the group's password is in the journal")
	}
	return remediate.Record{Undo: undo}
}

func (r rig) do(rec remediate.Record) error {
	return r.Do(r.t.Context(), plan.Step{}, rec.Undo, nil)
}

func (r rig) undo(rec remediate.Record) (remediate.Restored, error) {
	return r.Undo(r.t.Context(), plan.Step{}, rec)
}

func taking(from, to string) plan.Step {
	return plan.Step{ID: "host/etc/group", Kind: plan.KindGroup, Resource: plan.File(inventory.GroupFile), Changes: []plan.Change{
		{Path: plan.MembersPath("docker"), From: json.RawMessage(from), To: json.RawMessage(to)},
	}}
}

var (
	groupsAfter  = strings.Replace(groups, "alice,bob,ci", "alice", 1)
	shadowsAfter = strings.Replace(shadows, "alice,bob", "alice", 1)
)

func TestThereAndBack(t *testing.T) {
	r := newRig(t)
	rec := r.prepared()
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	r.is(groupsAfter, shadowsAfter)
	if info, err := os.Stat(r.Root + shadowFile); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	for i, nothing := range []bool{false, true} {
		back, err := r.undo(rec)
		if err != nil || back.How != plan.Exact || back.Nothing != nothing || len(back.Notes) > 0 {
			t.Errorf("undone %d: %+v %v", i, back, err)
		}
		r.is(groups, shadows)
	}
}

// A program that dies before either file leaves what Undo brings back, and never half a file.
func TestKilledOnItsWay(t *testing.T) {
	for _, file := range []string{shadowFile, inventory.GroupFile} {
		r := newRig(t)
		rec := r.prepared()
		died := errors.New("killed")
		r.hook = func(at string) error {
			if at == file {
				return died
			}
			return nil
		}
		if err := r.do(rec); !errors.Is(err, died) {
			t.Fatal(err)
		}
		if _, err := r.undo(rec); !errors.Is(err, died) && file == inventory.GroupFile {
			t.Fatal("an undo that dies says nothing")
		}
		r.hook = nil
		copied := r.Root + "/etc/.gshadow.docker-harden-ABC" // of a write that was killed
		if err := os.WriteFile(copied, []byte(shadows), 0o600); err != nil {
			t.Fatal(err)
		}
		if back, err := r.undo(rec); err != nil || back.How != plan.Exact {
			t.Errorf("%s: %+v %v", file, back, err)
		}
		if _, err := os.Lstat(copied); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a copy of /etc/gshadow is left")
		}
		r.is(groups, shadows)
	}
}

func TestPrepareRefuses(t *testing.T) {
	fine := taking(`["alice","bob","ci"]`, `["alice"]`)
	for name, test := range map[string]struct {
		step  plan.Step
		setup func(rig)
		want  error
		says  string
	}{
		"somebody came":     {fine, func(r rig) { r.write(inventory.GroupFile, "docker:x:998:alice,bob,ci,eve\n") }, plan.ErrStale, "eve"},
		"no such group":     {fine, func(r rig) { r.write(inventory.GroupFile, "root:x:0:\n") }, plan.ErrStale, "no group docker"},
		"no file":           {fine, func(r rig) { _ = os.Remove(r.Root + inventory.GroupFile) }, plan.ErrStale, "no group docker"},
		"twice":             {fine, func(r rig) { r.write(inventory.GroupFile, groups+"\ndocker:x:7:bob\n") }, nil, "more than one"},
		"broken":            {fine, func(r rig) { r.write(inventory.GroupFile, "docker:x:998\n") }, nil, "no entry of four fields"},
		"broken shadow":     {fine, func(r rig) { r.write(shadowFile, "docker:x\n") }, nil, "/etc/gshadow"},
		"somebody is added": {taking(`["alice"]`, `["alice","eve"]`), func(rig) {}, remediate.ErrRefused, "does not only take users out"},
		"another order":     {taking(`["alice","bob","ci"]`, `["bob","alice"]`), func(rig) {}, remediate.ErrRefused, "does not only take users out"},
		"no change":         {taking(`["alice"]`, `["alice"]`), func(rig) {}, remediate.ErrRefused, "does not only take users out"},
		"another file":      {plan.Step{Resource: plan.File("/etc/shadow"), Changes: fine.Changes}, func(rig) {}, remediate.ErrRefused, "is no group"},
		"no list":           {taking(`"alice"`, `[]`), func(rig) {}, remediate.ErrRefused, "no pair of lists"},
		"a link": {fine, func(r rig) {
			_ = os.Rename(r.Root+inventory.GroupFile, r.Root+"/etc/real")
			_ = os.Symlink("real", r.Root+inventory.GroupFile)
		}, nil, "/etc/group"},
		"another name": {fine, func(r rig) { _ = os.Link(r.Root+shadowFile, r.Root+"/etc/other") }, remediate.ErrRefused, "2 hard links"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			test.setup(r)
			_, err := r.Prepare(t.Context(), test.step)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Error("the group's password is in the message")
			}
		})
	}
}

// What others change between preparing and doing, or since, is never overwritten.
func TestChangedByOthers(t *testing.T) {
	r := newRig(t)
	rec := r.prepared()
	r.write(inventory.GroupFile, strings.Replace(groups, "ci", "ci,eve", 1))
	if err := r.do(rec); !errors.Is(err, plan.ErrStale) {
		t.Errorf("done over what others did: %v", err)
	}
	if back, err := r.undo(rec); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("undone over what others did: %+v %v", back, err)
	}
	r.write(inventory.GroupFile, groups)
	if _, err := r.undo(rec); err != nil { // gshadow was changed already
		t.Fatal(err)
	}
	r.is(groups, shadows)

	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	others := strings.Replace(groupsAfter, "alice", "eve,alice", 1)
	r.write(inventory.GroupFile, others)
	if _, err := r.undo(rec); !errors.Is(err, remediate.ErrDrifted) || r.read(shadowFile) != shadowsAfter {
		t.Errorf("undone over what others did, or by half: %v", err)
	}
	rec.Force = true
	back, err := r.undo(rec)
	if err != nil || back.How != plan.Functional || len(back.Notes) != 1 {
		t.Errorf("by force: %+v %v", back, err)
	}
	r.is(strings.Replace(groups, "alice,bob,ci", "eve,alice,bob,ci", 1), shadows)

	rec.Force = false
	r.write(inventory.GroupFile, "root:x:0:\n")
	if _, err := r.undo(rec); !errors.Is(err, remediate.ErrDrifted) || !strings.Contains(err.Error(), `"alice,bob,ci"`) {
		t.Errorf("the group is gone: %v", err)
	}
	rec.Force = true
	if back, err := r.undo(rec); err != nil || back.How != plan.Functional || !strings.Contains(strings.Join(back.Notes, " "), "no entry of group") || r.read(inventory.GroupFile) != "root:x:0:\n" {
		t.Errorf("the group is gone, by force: %+v %v", back, err)
	}
}

func TestWithoutShadow(t *testing.T) {
	r := newRig(t)
	if err := os.Remove(r.Root + shadowFile); err != nil {
		t.Fatal(err)
	}
	rec := r.prepared()
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(r.Root + shadowFile); !errors.Is(err, fs.ErrNotExist) {
		t.Error("gshadow was made")
	}
	if back, err := r.undo(rec); err != nil || back.How != plan.Exact || r.read(inventory.GroupFile) != groups {
		t.Errorf("%+v %v", back, err)
	}
}

// While another program has the lock that gpasswd and its like take (lckpwdf(3), a lock of the process), nothing is
// written.
func TestLock(t *testing.T) {
	r := newRig(t)
	rec := r.prepared()
	r.write(lockFile, "")
	f, err := os.OpenFile(r.Root+lockFile, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockEvery)
	defer cancel()
	if err := r.Do(ctx, plan.Step{}, rec.Undo, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("done without the lock: %v", err)
	}
	r.is(groups, shadows)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.do(rec); err != nil {
		t.Error(err)
	}
	r.is(groupsAfter, shadowsAfter)
}
