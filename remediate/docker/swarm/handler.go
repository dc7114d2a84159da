package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

// Handler is the handler of [plan.KindSwarm].
type Handler struct {
	Engine Engine
	// Root prefixes paths; "" is this machine.
	Root string
}

// settings are those of a swarm that a step can change.
type settings struct {
	AutoLock   bool          `json:"auto_lock"`
	CertExpiry time.Duration `json:"cert_expiry_ns"`
}

func settingsOf(s swarm.Swarm) settings {
	return settings{s.Spec.EncryptionConfig.AutoLockManagers, s.Spec.CAConfig.NodeCertExpiry}
}

// String is how messages name them.
func (s settings) String() string {
	return fmt.Sprintf("autolock %t, certificates for %s", s.AutoLock, s.CertExpiry)
}

// recordFormat is the version of what Undo reads.
const recordFormat = "docker-harden/swarm/v1"

// record is what Undo needs.
type record struct {
	Format  string   `json:"format"`
	ID      string   `json:"id"` // of the swarm
	Was     settings `json:"was"`
	Planned settings `json:"planned"`
	// KeyFile is the file that the step makes for the unlock key; empty: none.
	KeyFile string `json:"key_file,omitempty"`
}

func readRecord(undo json.RawMessage) (*record, error) {
	var rec record
	if err := json.Unmarshal(undo, &rec); err != nil {
		return nil, fmt.Errorf("cannot read the undo record: %w", err)
	}
	if rec.Format != recordFormat || rec.ID == "" {
		return nil, fmt.Errorf("cannot read the undo record: its format is %q, this version reads %q", rec.Format, recordFormat)
	}
	return &rec, nil
}

// wished reads the changes of a step: what is before, what shall be, and where the unlock key goes.
func wished(step plan.Step, now settings) (from, to settings, keyFile string, err error) {
	from, to = now, now
	for _, c := range step.Changes {
		var was, want any
		switch c.Path {
		case plan.AutoLockPath:
			was, want = &from.AutoLock, &to.AutoLock
		case plan.CertExpiryPath:
			was, want = &from.CertExpiry, &to.CertExpiry
		case plan.UnlockKeyFilePath:
			was, want = new(any), &keyFile
		default:
			return from, to, "", fmt.Errorf("internal error: %q is no setting of a swarm", c.Path)
		}
		if err := errors.Join(json.Unmarshal(c.From, was), json.Unmarshal(c.To, want)); err != nil {
			return from, to, "", fmt.Errorf("the plan's change of %s cannot be read: %w", c.Path, err)
		}
	}
	if locks := to.AutoLock && !from.AutoLock; locks != (keyFile != "") {
		return from, to, "", errors.New("internal error: managers are locked, and the key goes nowhere, or the other way round")
	}
	return from, to, keyFile, nil
}

// Prepare looks at the swarm, and at the place for the unlock key. It changes nothing.
func (h *Handler) Prepare(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	s, err := h.inspect(ctx)
	if err != nil {
		return nil, err
	}
	now := settingsOf(s)
	from, to, keyFile, err := wished(step, now)
	switch {
	case err != nil:
		return nil, err
	case from != now:
		return nil, stale("the swarm has %s now, the plan saw %s", now, from)
	case to.CertExpiry < time.Hour:
		return nil, refused("certificates of nodes cannot be valid for %s: the engine takes an hour at least", to.CertExpiry)
	}
	if keyFile != "" {
		if err := h.free(keyFile); err != nil {
			return nil, err
		}
	}
	return json.Marshal(record{Format: recordFormat, ID: s.ID, Was: now, Planned: to, KeyFile: keyFile})
}

// Do sets what is planned and proves it. Where managers are locked, the key is in its file when Do returns.
func (h *Handler) Do(ctx context.Context, _ plan.Step, undo json.RawMessage, log remediate.Log) error {
	rec, err := readRecord(undo)
	if err != nil {
		return err
	}
	s, err := h.inspect(ctx)
	if err != nil {
		return err
	}
	if now := settingsOf(s); s.ID != rec.ID || now != rec.Was {
		return stale("the swarm has %s now, the plan saw %s", now, rec.Was)
	}
	if err := h.set(ctx, s, rec.Planned); err != nil {
		return err
	}
	if rec.KeyFile != "" {
		log.Progress("writing the key to unlock managers")
		if err := h.saveKey(ctx, rec.KeyFile); err != nil {
			return err
		}
	}
	return h.proven(ctx, rec.Planned)
}

// proven fails unless the engine shows the settings, and this manager's key on the disk is as autolock says.
func (h *Handler) proven(ctx context.Context, want settings) error {
	s, err := h.inspect(ctx)
	if err != nil {
		return err
	}
	if now := settingsOf(s); now != want {
		return fmt.Errorf("the swarm has %s instead of %s", now, want)
	}
	root, err := h.root(ctx)
	if err != nil {
		return err
	}
	file := inventory.SwarmNodeFile(root, "swarm-node.key")
	words := map[bool]string{true: "is still readable without the key", false: "is still locked"}
	return until(ctx, fmt.Sprintf("%s %s", file, words[want.AutoLock]), func() (bool, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, fmt.Errorf("cannot prove the change: %w", err)
		}
		encrypted, isKey := inventory.KeyEncrypted(text)
		return isKey && encrypted == want.AutoLock, nil
	})
}

// Undo sets what was before. It does of this what is not so yet, so it works after a whole Do, half a Do, and none.
func (h *Handler) Undo(ctx context.Context, _ plan.Step, r remediate.Record) (remediate.Restored, error) {
	rec, err := readRecord(r.Undo)
	if err != nil {
		return remediate.Restored{}, err
	}
	if left, err := h.left(ctx); err != nil || left && r.Force {
		return gone("this host is no manager of a swarm any more"), err
	}
	if err := h.unlocked(ctx, rec); err != nil {
		return remediate.Restored{}, err
	}
	s, err := h.inspect(ctx)
	if err != nil {
		return remediate.Restored{}, err
	}
	now := settingsOf(s)
	switch {
	case s.ID != rec.ID && r.Force:
		return gone("this host is in another swarm now"), nil
	case s.ID != rec.ID:
		return remediate.Restored{}, fmt.Errorf("%w: this host is in another swarm now", remediate.ErrDrifted)
	case now != rec.Was && now != rec.Planned && !r.Force:
		return remediate.Restored{}, fmt.Errorf("%w: the swarm has %s now, the apply had changed it from %s to %s", remediate.ErrDrifted, now, rec.Was, rec.Planned)
	}
	out := remediate.Restored{How: plan.Exact, Nothing: now == rec.Was}
	if now != rec.Was {
		if err := h.set(ctx, s, rec.Was); err != nil {
			return remediate.Restored{}, err
		}
		if rec.Was.CertExpiry != rec.Planned.CertExpiry {
			out.How = plan.Functional
			out.Notes = append(out.Notes, "certificates of nodes that were renewed meanwhile are renewed sooner once")
		}
	}
	if err := h.proven(ctx, rec.Was); err != nil {
		return remediate.Restored{}, err
	}
	if kept, err := h.keepKey(ctx, rec.KeyFile); err != nil || kept != "" {
		if kept != "" {
			out.How = plan.Functional
			out.Notes = append(out.Notes, fmt.Sprintf("the key is kept in %s: a manager that is away is locked with it until it has heard of this; when all managers are back: rm %[1]s", kept))
		}
		return out, err
	}
	gone, err := h.dropKey(rec.KeyFile)
	out.Nothing = out.Nothing && !gone
	return out, err
}

// left reports whether this host has left its swarm, or manages it no more. An engine that has just started needs a while to
// take its part again.
func (h *Handler) left(ctx context.Context) (bool, error) {
	const patience, look = 10 * time.Second, 200 * time.Millisecond
	for end := time.Now().Add(patience); ; {
		info, err := h.Engine.Info(ctx)
		if err != nil {
			return false, fmt.Errorf("cannot ask the engine: %w", said(err))
		}
		switch state := info.Swarm.LocalNodeState; {
		case state == swarm.LocalNodeStateInactive:
			return true, nil
		case state != swarm.LocalNodeStateActive || info.Swarm.ControlAvailable:
			return false, nil
		case time.Now().After(end):
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(look):
		}
	}
}

// gone is the undo of what does not exist any more.
func gone(why string) remediate.Restored {
	return remediate.Restored{How: plan.Functional, Nothing: true, Notes: []string{why + ": there is nothing to bring back"}}
}

// keepKey puts a key aside that other managers may still be locked with: the place is free again for the next one. It says
// where; empty: there is none, or nobody else.
func (h *Handler) keepKey(ctx context.Context, file string) (string, error) {
	key, err := h.readKey(file)
	if err != nil || key == "" {
		return "", err
	}
	info, err := h.Engine.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot ask the engine: %w", said(err))
	}
	if info.Swarm.Managers < 2 {
		return "", nil
	}
	aside := file + ".until-" + time.Now().UTC().Format("20060102T150405.000")
	crash.Point("before the key file is put aside")
	if err := os.Rename(h.Root+file, h.Root+aside); err != nil {
		return "", fmt.Errorf("cannot keep the key: %w", err)
	}
	crash.Point("after the key file was put aside")
	return aside, atomic.SyncDir(filepath.Dir(h.Root + file))
}

// Commit has nothing to drop: the record holds everything.
func (h *Handler) Commit(context.Context, plan.Step, remediate.Record) error { return nil }
