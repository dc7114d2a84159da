package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate/docker/container/body"
	"docker-harden/remediate/internal/atomic"
	"docker-harden/remediate/internal/crash"
)

const (
	// secretsName is the directory below State in which values of variables become files. It is none of a
	// generation's: a file stays as long as a container mounts it, whatever becomes of generations and of this tool.
	secretsName = "secrets"
	secretMode  = fs.FileMode(0o400)
	privateMode = fs.FileMode(0o700)
)

// secretsDir is the directory for the values of one container that a step recreates, on the engine's host: a name that
// a person finds, and the step's own mark.
func (o Options) secretsDir(rec *record) (string, error) {
	if !filepath.IsAbs(o.State) {
		return "", refused("there is no directory to keep values of variables of %s in", rec.Name)
	}
	return filepath.Join(o.State, secretsName, rec.short()+"."+rec.tx()), nil
}

// secrets are the values that the new container reads from files.
func (rec *record) secrets() []body.Secret {
	if rec.New == nil { // it is only stopped and started
		return nil
	}
	return rec.New.Secrets
}

// ordinaryName reports whether a container's name is one that engines give, which is a good name for a directory too.
func ordinaryName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsFunc(name, func(c rune) bool {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		return !letter && c != '_' && c != '.' && c != '-'
	})
}

// file writes the values that the new container will read from files, before it is made.
func (x *swap) file(context.Context) error {
	for _, s := range x.rec.secrets() {
		value, err := body.SecretValue(x.old.raw, s.Variable)
		if err != nil {
			return staleChange(err)
		}
		place, err := x.r.secretPlace(s)
		if err != nil {
			return err
		}
		if err := makePrivate(0, filepath.Dir(filepath.Dir(place)), filepath.Dir(place)); err != nil {
			return err
		}
		if err := atomic.WriteFile(place, []byte(value), atomic.Options{Mode: secretMode}); err != nil {
			return err
		}
	}
	return nil
}

// makePrivate makes directories that one user alone may enter. One that is there has to be of this kind: who may write
// to it decides what containers read.
func makePrivate(uid int, dirs ...string) error {
	for _, dir := range dirs {
		if err := atomic.Mkdir(dir, privateMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Lstat(dir)
		if err != nil {
			return fmt.Errorf("cannot use directory %s: %w", dir, err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() || int(st.Uid) != uid || info.Mode().Perm()&^privateMode != 0 {
			return fmt.Errorf("cannot keep anything in %s: it has to be a directory of user %d that nobody else may enter (mode 0700)", dir, uid)
		}
	}
	return nil
}

// secretPlace is where this process finds the file with a value. Records name no other files than those that this
// tool makes: one of them is removed by an undo.
func (r *Recreator) secretPlace(s body.Secret) (string, error) {
	dir := filepath.Dir(s.Source)
	if !filepath.IsAbs(s.Source) || filepath.Clean(s.Source) != s.Source || !plan.IsSecretVariable(s.Variable) ||
		filepath.Base(s.Source) != s.Variable || filepath.Base(filepath.Dir(dir)) != secretsName {
		return "", fmt.Errorf("cannot read the undo record: %s is no file for the value of a variable", clean(s.Source, maxMessage))
	}
	return r.Options.path(s.Source), nil
}

// secretsTruth lists what does not hold of the values that were moved: the file on the host, and that the container
// has this very file, read-only. Whether the variable is gone from what the engine gives to processes is compared with
// everything else of the container; what a start script sets again is its own.
func (x *swap) secretsTruth() []string {
	if len(x.rec.secrets()) == 0 {
		return nil
	}
	var targets, wrong []string
	for _, s := range x.rec.secrets() {
		targets = append(targets, plan.SecretFile(s.Variable))
	}
	places, err := inventory.ReadPlaces(x.r.Options.Root, x.new.State.PID, targets)
	if err != nil {
		return []string{"its mounts could not be read: " + clean(err.Error(), maxMessage)}
	}
	for i, s := range x.rec.secrets() {
		place, err := x.r.secretPlace(s)
		if err != nil {
			return []string{err.Error()}
		}
		inside := x.r.Options.path("proc", strconv.Itoa(x.new.State.PID), "root", targets[i])
		if why := privateFile(place, inside); why != "" {
			wrong = append(wrong, fmt.Sprintf("the file with %s %s", s.Variable, why))
		}
		if at, there := places[targets[i]]; !there || !at.ReadOnly {
			wrong = append(wrong, fmt.Sprintf("%s is not mounted read-only", targets[i]))
		}
	}
	return wrong
}

// privateFile says what is wrong with a file on the host and what a container has in its place; empty: nothing.
func privateFile(place, inside string) string {
	info, err := os.Lstat(place)
	if err != nil {
		return "could not be looked at on the host"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || info.Mode() != secretMode || st.Uid != 0 || st.Gid != 0 {
		return "is not root's alone (mode 0400)"
	}
	other, err := os.Stat(inside)
	if err != nil {
		return "could not be looked at in the container"
	}
	if !os.SameFile(info, other) {
		return "is another one in the container"
	}
	return ""
}

// exported are the moved variables that processes of the new container have in their environment all the same: a
// start script has set them again. Only names are looked at.
func (x *swap) exported() []string {
	var out []string
	p, err := x.r.proc(x.new)
	if err != nil || len(x.rec.secrets()) == 0 {
		return nil
	}
	for _, q := range p.All {
		environ, err := os.ReadFile(x.r.Options.path("proc", strconv.Itoa(q.PID), "environ"))
		if err != nil {
			continue // it has just ended
		}
		for _, s := range x.rec.secrets() {
			if inEnviron(environ, s.Variable) && !slices.Contains(out, s.Variable) {
				out = append(out, s.Variable)
			}
		}
		clear(environ)
	}
	return out
}

// inEnviron reports whether a process's environment, as the kernel has it, holds a variable.
func inEnviron(environ []byte, name string) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if key, _, ok := bytes.Cut(entry, []byte("=")); ok && string(key) == name {
			return true
		}
	}
	return false
}

// forget removes the files that the step made, when no container mounts them.
func (b *back) forget(ctx context.Context) error {
	for _, s := range b.rec.secrets() {
		place, err := b.r.secretPlace(s)
		if err != nil {
			return err
		}
		if _, err := os.Lstat(filepath.Dir(place)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		holder, err := b.a.mounting(ctx, s.Source)
		if err != nil {
			return err
		}
		if holder != "" {
			b.said = append(b.said, fmt.Sprintf("%s stays, because container %s mounts it", s.Source, clean(holder, maxMessage)))
			continue
		}
		b.acted = true
		if err := dropSecret(place); err != nil {
			return err
		}
	}
	return nil
}

// dropSecret removes a file with a value, what a killed write left beside it, and the directory once it is empty.
func dropSecret(place string) error {
	if err := atomic.Sweep(place); err != nil {
		return err
	}
	if err := atomic.Remove(place); err != nil {
		return err
	}
	dir := filepath.Dir(place)
	crash.Point("before removing", dir)
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("cannot remove directory %s: %w", dir, err)
	}
	crash.Point("after removing", dir)
	return atomic.SyncDir(filepath.Dir(dir))
}

// values are variables of a container whose values stand in files that this tool made, as an environment has them: its
// log may speak of them, and nobody else shall. What cannot be read is nothing that could be hidden.
func (r *Recreator) values(c *state) []string {
	const most = 1 << 20 // bytes; an environment holds less
	var out []string
	for _, m := range c.Mounts {
		place, err := r.secretPlace(body.Secret{Variable: filepath.Base(m.Source), Source: m.Source})
		if m.Type != "bind" || err != nil || m.Destination != plan.SecretFile(filepath.Base(m.Source)) {
			continue
		}
		if value, err := atomic.ReadFile(place, most); err == nil {
			out = append(out, filepath.Base(m.Source)+"="+string(value))
		}
	}
	return out
}

// mounting is the name of a container that mounts a file of the host; empty: none does.
func (a *api) mounting(ctx context.Context, source string) (string, error) {
	return a.holder(ctx, func(m mounted) bool { return m.Type == "bind" && m.Source == source })
}
