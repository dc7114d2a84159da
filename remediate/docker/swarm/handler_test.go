package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"

	"docker-harden/plan"
	"docker-harden/remediate"
)

const (
	plainKey     = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	encryptedKey = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nkek-version: 9\n\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
)

// fake is an engine that is the only manager of a swarm.
type fake struct {
	left     bool // the swarm
	managers int
	t        *testing.T
	root     string
	swarm    swarm.Swarm
	key      string
	locked   bool
	fail     error // of the next update
	calls    []string
}

func newFake(t *testing.T) (*fake, *Handler) {
	t.Helper()
	f := &fake{t: t, root: t.TempDir()}
	f.swarm.ID, f.swarm.Spec.CAConfig.NodeCertExpiry = "s1", 2160*time.Hour
	f.swarm.Spec.Raft.SnapshotInterval = 77 // of no concern to the step
	f.file(plainKey)
	if err := os.Mkdir(filepath.Join(f.root, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	return f, &Handler{Engine: f, Root: f.root}
}

func (f *fake) file(text string) {
	f.t.Helper()
	at := filepath.Join(f.root, "/var/lib/docker/swarm/certificates/swarm-node.key")
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o600)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fake) Info(context.Context) (system.Info, error) {
	info := system.Info{DockerRootDir: "/var/lib/docker"}
	info.Swarm.LocalNodeState, info.Swarm.ControlAvailable, info.Swarm.Managers = swarm.LocalNodeStateActive, true, max(f.managers, 1)
	if f.left {
		info.Swarm.LocalNodeState, info.Swarm.ControlAvailable = swarm.LocalNodeStateInactive, false
	}
	if f.locked {
		info.Swarm.LocalNodeState = swarm.LocalNodeStateLocked
	}
	return info, nil
}

func (f *fake) SwarmInspect(context.Context) (swarm.Swarm, error) {
	if f.left {
		return swarm.Swarm{}, errors.New("this node is not a swarm manager")
	}
	return f.swarm, nil
}

func (f *fake) SwarmUpdate(_ context.Context, version swarm.Version, spec swarm.Spec, _ swarm.UpdateFlags) error {
	f.calls = append(f.calls, "update")
	switch {
	case f.fail != nil:
		return f.fail
	case version != f.swarm.Version:
		return errors.New("rpc error: update out of sequence")
	}
	f.swarm.Spec = spec
	f.swarm.Version.Index++
	f.key = ""
	f.file(plainKey)
	if spec.EncryptionConfig.AutoLockManagers {
		f.key = "SWMKEY-1-secret"
		f.file(encryptedKey)
	}
	return nil
}

func (f *fake) SwarmGetUnlockKey(context.Context) (swarm.UnlockKeyResponse, error) {
	return swarm.UnlockKeyResponse{UnlockKey: f.key}, nil
}

func (f *fake) SwarmUnlock(_ context.Context, r swarm.UnlockRequest) error {
	f.calls = append(f.calls, "unlock")
	if r.UnlockKey != f.key {
		return errors.New("invalid key")
	}
	f.locked = false
	return nil
}

type quiet struct{}

func (quiet) Note(any) error  { return nil }
func (quiet) Progress(string) {}

func step() plan.Step {
	return plan.Step{ID: "swarm", Kind: plan.KindSwarm, Resource: plan.Swarm(), Changes: []plan.Change{
		{Path: plan.AutoLockPath, From: json.RawMessage("false"), To: json.RawMessage("true")},
		{Path: plan.UnlockKeyFilePath, From: json.RawMessage("null"), To: json.RawMessage(`"/keys/unlock"`)},
		{Path: plan.CertExpiryPath, From: json.RawMessage("7776000000000000"), To: json.RawMessage("172800000000000")},
	}}
}

func (f *fake) prepared(h *Handler) remediate.Record {
	f.t.Helper()
	undo, err := h.Prepare(f.t.Context(), step())
	if err != nil {
		f.t.Fatal(err)
	}
	if strings.Contains(string(undo), "SWMKEY") {
		f.t.Error("the key is in the journal")
	}
	return remediate.Record{Undo: undo}
}

func TestThereAndBack(t *testing.T) {
	f, h := newFake(t)
	was := f.swarm.Spec
	r := f.prepared(h)
	if err := h.Do(t.Context(), step(), r.Undo, quiet{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(f.root, "keys/unlock"))
	if string(text) != "SWMKEY-1-secret\n" || err != nil || f.swarm.Spec.CAConfig.NodeCertExpiry != 48*time.Hour || f.swarm.Spec.Raft.SnapshotInterval != 77 {
		t.Errorf("%q %v %+v", text, err, f.swarm.Spec)
	}
	f.locked = true // it started again
	got, err := h.Undo(t.Context(), step(), r)
	if err != nil || got.Nothing || got.How != plan.Functional || !reflect.DeepEqual(f.swarm.Spec, was) || strings.Join(f.calls, " ") != "update unlock update" {
		t.Errorf("%+v %v %v %+v", got, err, f.calls, f.swarm.Spec)
	}
	if _, err := os.Lstat(filepath.Join(f.root, "keys/unlock")); !os.IsNotExist(err) {
		t.Error("the key file is left")
	}
	if got, err = h.Undo(t.Context(), step(), r); err != nil || !got.Nothing {
		t.Errorf("undone again: %+v %v", got, err)
	}
}

// Between preparing and doing, and between doing and undoing, others change the swarm: nothing of theirs is overwritten.
func TestChangedByOthers(t *testing.T) {
	f, h := newFake(t)
	r := f.prepared(h)
	f.fail = errors.New("rpc error: code = Unknown desc = update out of sequence")
	if err := h.Do(t.Context(), step(), r.Undo, quiet{}); !errors.Is(err, plan.ErrStale) {
		t.Errorf("changed in the same instant: %v", err)
	}
	f.fail, f.swarm.Spec.CAConfig.NodeCertExpiry = nil, time.Hour
	if err := h.Do(t.Context(), step(), r.Undo, quiet{}); !errors.Is(err, plan.ErrStale) {
		t.Errorf("changed before: %v", err)
	}
	if _, err := h.Prepare(t.Context(), step()); !errors.Is(err, plan.ErrStale) {
		t.Errorf("changed before the plan: %v", err)
	}
	if _, err := h.Undo(t.Context(), step(), r); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("undone over what others set: %v", err)
	}
	r.Force = true
	if _, err := h.Undo(t.Context(), step(), r); err != nil || f.swarm.Spec.CAConfig.NodeCertExpiry != 2160*time.Hour {
		t.Errorf("by force: %v", err)
	}
	// Another swarm, and none: nothing of it is touched, and by force the host is not stuck with it.
	f.swarm.ID, f.calls = "s2", nil
	for _, left := range []bool{false, true} {
		f.left = left
		r.Force = false
		if _, err := h.Undo(t.Context(), step(), r); err == nil {
			t.Errorf("left %t: undone", left)
		}
		r.Force = true
		if out, err := h.Undo(t.Context(), step(), r); err != nil || !out.Nothing || out.How != plan.Functional || len(f.calls) > 0 {
			t.Errorf("left %t, by force: %+v %v %v", left, out, err, f.calls)
		}
	}
}

// A manager that is away is locked with the key until it comes back.
func TestKeyOfOtherManagers(t *testing.T) {
	f, h := newFake(t)
	f.managers = 3
	r := f.prepared(h)
	if err := h.Do(t.Context(), step(), r.Undo, quiet{}); err != nil {
		t.Fatal(err)
	}
	out, err := h.Undo(t.Context(), step(), r)
	kept, _ := filepath.Glob(filepath.Join(f.root, "keys/unlock.until-*"))
	if err != nil || len(kept) != 1 || !strings.Contains(strings.Join(out.Notes, " "), "kept in "+strings.TrimPrefix(kept[0], f.root)) {
		t.Fatalf("%+v %v %q", out, err, kept)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || string(text) != "SWMKEY-1-secret\n" {
		t.Errorf("the key file: %q %v", text, err)
	}
	// The place is free again: a resume makes the step once more.
	r = f.prepared(h)
	if err := h.Do(t.Context(), step(), r.Undo, quiet{}); err != nil {
		t.Errorf("once more: %v", err)
	}
}

func TestPlacesForTheKey(t *testing.T) {
	for name, spoil := range map[string]func(root string) error{
		"there already": func(root string) error { return os.WriteFile(filepath.Join(root, "keys/unlock"), nil, 0o600) },
		"a link":        func(root string) error { return os.Symlink("/etc/shadow", filepath.Join(root, "keys/unlock")) },
		"writable":      func(root string) error { return os.Chmod(filepath.Join(root, "keys"), 0o770) },
		"another's":     func(root string) error { return os.Chown(filepath.Join(root, "keys"), 1, 1) },
		"no directory":  func(root string) error { return os.Remove(filepath.Join(root, "keys")) },
		"a linked directory": func(root string) error {
			return errors.Join(os.Remove(filepath.Join(root, "keys")), os.Symlink("/root", filepath.Join(root, "keys")))
		},
	} {
		f, h := newFake(t)
		if err := spoil(f.root); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Prepare(t.Context(), step()); err == nil || len(f.calls) > 0 {
			t.Errorf("%s: %v %v", name, err, f.calls)
		}
	}
}

// A key that was taken away, as it should be, leaves a locked manager to a person; what lies in its place stays.
func TestKeyTakenAway(t *testing.T) {
	f, h := newFake(t)
	r := f.prepared(h)
	if err := h.Do(t.Context(), step(), r.Undo, quiet{}); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(f.root, "keys/unlock")
	if err := errors.Join(os.Remove(at), os.WriteFile(at, []byte("mine\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	f.locked = true
	if _, err := h.Undo(t.Context(), step(), r); err == nil || !strings.Contains(err.Error(), "docker swarm unlock") {
		t.Errorf("%v", err)
	}
	f.locked = false
	if _, err := h.Undo(t.Context(), step(), r); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(at); string(text) != "mine\n" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}
