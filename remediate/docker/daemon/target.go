package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon/edit"
	"docker-harden/remediate/internal/atomic"
)

// What Undo finds in the place of the file.
const (
	foundOurs     = "ours"     // the original, or what Do writes on its way
	foundExplicit = "explicit" // what Undo reloads: the engine does everything else as before already
	foundForeign  = "foreign"  // somebody else's edit
	foundInvalid  = "invalid"  // somebody else's edit, with which no engine starts
	foundEdited   = "edited"   // somebody else's edit, and nothing of the step is in it or in the engine
)

// target is the content to end with. A file that neither we nor the plan's start left there is a drift; with
// force our keys are set back in it, one by one. One with which no engine starts is kept aside and replaced.
func (f *flow) target(ctx context.Context, now content, force bool) (doc []byte, found string, err error) {
	original := f.memo.Original.doc()
	stage, err := staged(original)
	if err != nil {
		return nil, "", err
	}
	written, err := explicit(original, f.step.Changes, f.memo.Before)
	if err != nil {
		return nil, "", err
	}
	for _, known := range [][]byte{original, f.memo.After, stage} {
		if same(now.doc(), known) {
			return original, foundOurs, nil
		}
	}
	if same(now.doc(), written) {
		return original, foundExplicit, nil
	}
	if f.untouched(ctx, now.doc()) {
		return now.doc(), foundEdited, nil
	}
	if !force {
		return nil, "", fmt.Errorf("%w: %s is neither as before nor as after the apply; look at it, then use --force to set back only the keys of this step (%s), or all of it should the engine not start with the rest",
			remediate.ErrDrifted, f.memo.Resolved, wanted(f.step.Changes).keys())
	}
	doc, err = f.merged(ctx, now.doc())
	var syntax *edit.SyntaxError
	var rejected *RejectedError
	switch {
	case err == nil:
		return doc, foundForeign, nil
	case !errors.As(err, &syntax) && !errors.As(err, &rejected):
		return nil, "", fmt.Errorf("%w: %s was edited by others, and whether the engine starts with it cannot be told: %w", remediate.ErrDrifted, f.memo.Resolved, err)
	}
	if err := f.setAside(now.doc(), err); err != nil {
		return nil, "", err
	}
	return original, foundInvalid, nil
}

// untouched reports that a file which others edited has the step's keys as they were before it, and that the
// engine still is the one from before and acts as it did: nothing is left of what Do may have begun.
func (f *flow) untouched(ctx context.Context, doc []byte) bool {
	keys, err := keysOf(doc)
	if err != nil {
		return false
	}
	for _, c := range f.step.Changes {
		value, set := keys[c.Path]
		if set == isNull(c.From) || set && meaning(c.Path, value) != meaning(c.Path, c.From) {
			return false
		}
	}
	p, up := f.up(ctx)
	return up && p == f.memo.Engine && f.settled(ctx, p)
}

// merged sets back the step's keys in a file that others edited, and leaves the rest of it. It fails when the
// engine would not start with the result.
func (f *flow) merged(ctx context.Context, doc []byte) ([]byte, error) {
	keys, err := keysOf(doc)
	if err != nil {
		return nil, err
	}
	back := map[string]string{}
	for _, c := range f.step.Changes {
		if meaning(c.Path, keys[c.Path]) != meaning(c.Path, c.To) {
			f.notes = append(f.notes, c.Path+" was changed once more since the apply; it is as before the apply again")
		}
		back[c.Path] = "null"
		if !isNull(c.From) {
			back[c.Path] = string(c.From)
		}
	}
	doc, err = edited(doc, back)
	if err != nil {
		return nil, err
	}
	judged := doc
	if judged == nil {
		judged = []byte("{}\n") // no file
	}
	if err := Validate(ctx, f.memo.Exe, f.memo.NextArgv, judged); err != nil && !errors.Is(err, ErrNotChecked) {
		return nil, err
	}
	return doc, nil
}

// setAside keeps a file with which no engine starts before it is replaced: what somebody wrote there may
// still be wanted.
func (f *flow) setAside(doc []byte, why error) error {
	if len(doc) > edit.MaxSize {
		return fmt.Errorf("%w: %s is no daemon.json any more (%w); move it away, then roll back again", remediate.ErrDrifted, f.memo.Resolved, why)
	}
	path := filepath.Join(f.handler.StateDir, "daemon.json."+digest(doc)[:12]+".invalid")
	if err := os.MkdirAll(f.handler.StateDir, 0o700); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := atomic.WriteFile(path, doc, atomic.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("%w: the engine does not start with %s as it is now (%w), and it cannot be kept aside: %w", remediate.ErrDrifted, f.memo.Resolved, why, err)
	}
	f.notes = []string{fmt.Sprintf("the engine does not start with daemon.json as it was found (%s): that file is kept as %s, and the one from before the apply is back", withoutCredentials(why.Error()), path)}
	return nil
}

// differences are what an Undo leaves other than before, in words.
func (f *flow) differences(target []byte, found string) ([]string, error) {
	now, err := observe(f.memo.Resolved)
	if err != nil {
		return nil, err
	}
	if !same(now.doc(), target) {
		return nil, fmt.Errorf("%w: %s was changed by somebody else meanwhile", remediate.ErrDrifted, f.memo.Resolved)
	}
	notes := slices.Clone(f.notes)
	if found == foundForeign {
		notes = append(notes, "other changes that were made to daemon.json since the apply are kept")
	}
	old := f.memo.Original
	if now.Exists && old.Exists && (now.Mode != old.Mode || now.UID != old.UID || now.GID != old.GID || !maps.EqualFunc(now.Xattrs, old.Xattrs, slices.Equal)) {
		notes = append(notes, "owner, mode or attributes of daemon.json were changed since the apply and stay as they are")
	}
	return notes, nil
}
