package learn

import (
	"fmt"
	"slices"

	"docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

// Look is a container as it was at some time while it ran.
type Look struct {
	Container *inventory.Container
	Listeners []evidence.Listener
	Sysctls   evidence.Sysctls
	Programs  evidence.Programs
	Writes    evidence.Writes
}

// LookAt looks at a container that was just observed: its first process must still be there.
func LookAt(c *inventory.Container) Look {
	return Look{Container: c, Listeners: c.Listeners(), Sysctls: c.NetworkSettings(), Programs: c.Programs(), Writes: writes(c)}
}

// look is the last look at a container while it ran; nil: there is none.
func (w *Watch) look(id string) *Look {
	for i := range slices.Backward(w.Looks) {
		if look := &w.Looks[i]; look.Container.ID == id && look.Container.Proc != nil {
			return look
		}
	}
	return nil
}

// last is the newest of the containers, as it is at the end where it runs, else as it was seen last while it did; nil:
// none of them was.
func (w *Watch) last(ids []string) (seen *Look, alive bool) {
	for _, id := range slices.Backward(ids) {
		if c := w.final(id); c != nil && c.Running() && c.Proc != nil {
			look := LookAt(c)
			return &look, true
		}
		if look := w.look(id); look != nil {
			return look, false
		}
	}
	return nil, false
}

// unseen is why nothing can be said of a container.
func (w *Watch) unseen(was *inventory.Container) error {
	is := w.Host.Find(was.ID)
	switch {
	case is == nil:
		return fmt.Errorf("cannot learn of container %s: it is gone", was.Name)
	case is.Problem != "":
		return fmt.Errorf("cannot learn of container %s: %s", was.Name, is.Problem)
	case !is.Running():
		return fmt.Errorf("cannot learn of container %s: it ended meanwhile", was.Name)
	}
	return fmt.Errorf("cannot learn of container %s: %s", was.Name, is.ProcProblem)
}

// writes are the places where any of the containers wrote: a new one does not have those of the one before. What the
// last one wrote after the last look at it is not known when it is gone.
func (w *Watch) writes(ids []string, seen *Look) evidence.Writes {
	out := seen.Writes
	switch c := w.final(seen.Container.ID); {
	case c == nil:
		out.Partial, out.DirsPartial = true, true
	case c != seen.Container && c.Layer != nil:
		out = writes(c)
	}
	for _, look := range slices.Backward(w.Looks) {
		if look.Container.ID != seen.Container.ID && slices.Contains(ids, look.Container.ID) {
			out = out.With(look.Writes)
		}
	}
	return out
}

func writes(c *inventory.Container) evidence.Writes {
	if c.Layer == nil {
		return evidence.Writes{Problem: c.LayerProblem}
	}
	out := evidence.Writes{Paths: c.Layer.Paths, Files: c.Layer.Files, Partial: c.Layer.Truncated || int64(len(c.Layer.Paths)) < c.Layer.Files}
	var err error
	if out.Dirs, out.DirsPartial, err = c.WrittenDirs(); err != nil {
		out.DirsProblem = err.Error()
	}
	return out
}

// Sampled adds samples of a container that were taken beside the looks.
func (w *Watch) Sampled(id string, u *inventory.Usage) {
	if w.Usage == nil {
		w.Usage = make(map[string]*inventory.Usage)
	}
	w.Usage[id] = u
}
