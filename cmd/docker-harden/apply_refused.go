package main

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
	"docker-harden/plan/inventory"
	"docker-harden/plan/learn"
	"docker-harden/remediate/docker/container"
)

// checkCounter is what counts the checks of the kernel.
type checkCounter interface {
	Counts() (trace.Counts, error)
}

// refusals knows which capabilities containers were seen to need, and hears which ones the kernel refuses them.
type refusals struct {
	recorder checkCounter
	hook     string
	paths    map[string]string         // of the files, by the container's name
	files    map[string]*evidence.File // with what was added since

	mutex  sync.Mutex
	counts trace.Counts
	read   time.Time
	missed map[string]evidence.Check // by the container's name, the first
}

// countEvery is how often what was counted is read: a few thousand entries.
const countEvery = 250 * time.Millisecond

// of says which capability the kernel refused a container that it needs.
func (r *refusals) of(name, id string) container.Refusal {
	f := r.files[name]
	if f == nil {
		return container.Refusal{}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(r.read) >= countEvery {
		counts, err := r.recorder.Counts()
		if err != nil {
			return container.Refusal{} // the next look may be able to
		}
		r.counts, r.read = counts, time.Now()
	}
	c, found := learn.Missed(f, learn.Refused(r.counts, id))
	if !found {
		return container.Refusal{}
	}
	r.missed[name] = c
	return container.Refusal{Capability: c.Capability, What: learn.RefusedText(c)}
}

// hearRefusals begins to listen to what the kernel refuses the containers of --evidence; nothing where there is none. What it
// returns ends that, and writes down what was missed.
func (a *app) hearRefusals(c *cli.Context, h *inventory.Host) (func() error, error) {
	nothing := func() error { return nil }
	names := c.StringSlice("evidence")
	if len(names) == 0 {
		return nothing, nil
	}
	r := &refusals{paths: make(map[string]string), files: make(map[string]*evidence.File), missed: make(map[string]evidence.Check)}
	for _, name := range names {
		f, err := readEvidence(name)
		if err != nil {
			return nothing, err
		}
		one := h.Find(f.Container.Name)
		if one == nil {
			return nothing, fmt.Errorf("cannot use the evidence of container %s: there is no such container", f.Container.Name)
		}
		if err := f.About(one.Inspect.Image, one.Work()); err != nil {
			return nothing, fmt.Errorf("cannot use the evidence of container %s: %w; learn again", one.Name, err)
		}
		if r.files[one.Name] != nil {
			return nothing, usagef("--evidence is given twice for container %s; which file is to be added to?", one.Name)
		}
		r.paths[one.Name], r.files[one.Name] = name, f
	}
	a.learnt = r.files
	recorder, err := trace.Start()
	if err != nil {
		a.note(c, "Refused capabilities cannot be watched here: %s.\nThe rest is.", clean(learn.Unwatched(err)))
		return nothing, nil
	}
	r.recorder, r.hook, a.refused = recorder, recorder.Hook(), r.of
	return func() error {
		_ = recorder.Close()
		return a.amend(c, r)
	}, nil
}

// amend writes into the files of evidence what was refused and needed, so that the next plan keeps it.
func (a *app) amend(c *cli.Context, r *refusals) error {
	for name, missed := range r.missed {
		err := alone(r.paths[name], func() error {
			now, err := readEvidence(r.paths[name]) // another run may have added to it
			if errors.Is(err, fs.ErrNotExist) {
				now, err = r.files[name], nil
			}
			if err != nil {
				return err
			}
			if was := r.files[name].Container; now.Container.Image != was.Image || now.Container.Digest != was.Digest {
				return errors.New("it is about another container by now")
			}
			f, err := learn.Amend(now, r.hook, missed)
			if err != nil {
				return err
			}
			data, err := f.Encode()
			if err != nil {
				return err
			}
			return writePrivate(r.paths[name], data, isEvidence)
		})
		if err != nil {
			return fmt.Errorf("cannot add to the evidence of %s that it needs %s: %w", name, missed.Capability, err)
		}
		a.note(c, "Added to %s: %s needs %s (%s). Plan again with it.", clean(r.paths[name]), clean(name), missed.Capability, clean(learn.RefusedText(missed)))
	}
	return nil
}

// knownProcesses are the processes that evidence saw, by the container's name.
func knownProcesses(files map[string]*evidence.File) map[string][]inventory.Process {
	out := make(map[string][]inventory.Process)
	for name, f := range files {
		for _, p := range f.Processes {
			out[name] = append(out[name], inventory.Process{Name: p.Name, UID: p.UID})
		}
	}
	return out
}
