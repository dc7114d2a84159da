package container

import (
	"context"
	"encoding/json"
	"fmt"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container/body"
)

// exact recreates the container so that it shows the values it had before the update. The limits were
// lifted already, so a failure leaves a container that works as before; then done says so.
func (u *Updater) exact(ctx context.Context, rec *updateRecord, done remediate.Restored) (remediate.Restored, error) {
	r := &Recreator{Engine: u.Engine, Options: u.Options}
	r.Options.TX = func() string { return rec.TX }
	step, err := u.backStep(ctx, rec)
	if err != nil {
		return remediate.Restored{}, err
	}
	undo, err := r.Prepare(ctx, step)
	if err != nil {
		done.Notes = append(done.Notes, "it was not recreated to show the old values: "+err.Error())
		return done, nil
	}
	log := &memory{}
	if err := r.Do(ctx, step, undo, log); err != nil {
		done.Notes = append(done.Notes, "it was not recreated to show the old values: "+err.Error())
		back, undoErr := r.Undo(ctx, step, remediate.Record{Undo: undo, Notes: log.notes})
		done.Notes = append(done.Notes, back.Notes...)
		return done, undoErr
	}
	a, err := open(ctx, u.Engine)
	if err != nil {
		return remediate.Restored{}, err
	}
	said, err := r.replace(ctx, a, step, remediate.Record{Undo: undo, Notes: log.notes})
	if err != nil {
		return remediate.Restored{}, err
	}
	out, err := u.replaced(ctx, a, rec)
	out.Notes = append(out.Notes, said...)
	return out, err
}

// replace lets the container go that a new one has taken the place of, when its log is kept.
func (r *Recreator) replace(ctx context.Context, a *api, step plan.Step, record remediate.Record) ([]string, error) {
	recs, _, err := readRecord(record)
	if err != nil {
		return nil, err
	}
	old, err := a.inspect(ctx, recs[0].ID)
	if err != nil || old == nil {
		return nil, err
	}
	kept, err := r.keepLog(ctx, a, recs[0], old)
	if err != nil {
		return []string{stays(old.name(), err)}, nil
	}
	if err := r.Commit(ctx, step, record); err != nil || kept == "" {
		return nil, err
	}
	return []string{"of the container that it was: " + kept}, nil
}

// backStep is the recreate that brings the old values back.
func (u *Updater) backStep(ctx context.Context, rec *updateRecord) (plan.Step, error) {
	a, err := open(ctx, u.Engine)
	if err != nil {
		return plan.Step{}, err
	}
	c, err := a.inspect(ctx, rec.ID)
	if err != nil || c == nil {
		return plan.Step{}, err
	}
	now, err := hostConfig(c.raw)
	if err != nil {
		return plan.Step{}, err
	}
	step := plan.Step{Kind: plan.KindRecreate, Resource: plan.Container(rec.Name, rec.ID)}
	for field, was := range rec.From {
		if !identical(was, now[field]) {
			step.Changes = append(step.Changes, plan.Change{Path: "HostConfig." + field, From: now[field], To: was, Kind: plan.KindRecreate})
		}
	}
	return step, nil
}

// request is the request that made, or was to make, a container again as it is; made is what came of
// it. Which volumes were empty then stands in made: it must not be filled from the image, and says so.
func (u *Updater) request(ctx context.Context, a *api, c, made *state) (*body.Request, error) {
	src, err := (&Recreator{Engine: u.Engine, Options: u.Options}).source(ctx, a, c)
	if err != nil {
		return nil, err
	}
	if made != nil {
		if src.EmptyVolumes, err = body.Unfilled(made.raw); err != nil {
			return nil, err
		}
	}
	return body.Build(src, nil)
}

// asWas is the container as it was before the update.
func (rec *updateRecord) asWas() (*state, error) {
	was := &state{raw: rec.Inspect}
	if err := json.Unmarshal(rec.Inspect, was); err != nil {
		return nil, fmt.Errorf("cannot read the undo record: %w", err)
	}
	return was, nil
}

// recover ends an exact undo that was killed: the container goes back under its own name.
func (u *Updater) recover(ctx context.Context, a *api, rec *updateRecord) error {
	c, err := a.inspect(ctx, rec.ID)
	if err != nil || c == nil {
		return err
	}
	tempNew, tempOld := rec.Name+".dh-"+rec.TX+"-new", rec.Name+".dh-"+rec.TX+"-old"
	half, err := a.named(ctx, tempNew)
	if err != nil {
		return err
	}
	if half == nil && c.name() == tempOld {
		if half, err = a.named(ctx, rec.Name); err != nil {
			return err
		}
	}
	if half == nil && c.name() != tempOld {
		return nil
	}
	was, err := rec.asWas()
	if err != nil {
		return err
	}
	req, err := u.request(ctx, a, c, half)
	if err != nil {
		return err
	}
	b := &back{r: &Recreator{Engine: u.Engine, Options: u.Options}, a: a, old: c, new: half, rec: &record{
		Name: rec.Name, ID: rec.ID, TempNew: tempNew, TempOld: tempOld, New: req, Old: req, Inspect: c.raw,
		Policy: was.HostConfig.RestartPolicy, Running: was.State.Running, Paused: was.State.Paused,
	}}
	_, err = restore(ctx, []*back{b})
	return err
}

// memory is the log of a step that no journal follows.
type memory struct{ notes []json.RawMessage }

// Note keeps a fact for an Undo in the same run.
func (m *memory) Note(v any) error {
	raw, err := json.Marshal(v)
	m.notes = append(m.notes, raw)
	return err
}

// Progress tells nobody.
func (*memory) Progress(string) {}
