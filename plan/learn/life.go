package learn

import (
	"regexp"
	"slices"
	"syscall"
	"time"

	"docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

const (
	// killedExit is how a container ends that is killed.
	killedExit = 128 + int(syscall.SIGKILL)
	// startTime is how long a start takes, where no health check says that it is over: services use their capabilities
	// in the first second or two.
	startTime = 5 * time.Second
	// eventLag is how much later than the first process the engine may tell of a start.
	eventLag = 250 * time.Millisecond
	// maxPhases is how many are kept: of a container in a restart loop the last ones say as much as all.
	maxPhases = 1000
)

// swapName is how a recreate names its new container at first: the files of the old one are carried over into it.
var swapName = regexp.MustCompile(`\.dh-[0-9a-z]{1,12}-(old|new|aside|back)$`)

// same are the ids of the containers that had the name and worked in the same way, the oldest first. Of one that was
// gone before it could be looked at nobody can say how it worked: it is not among them.
func (w *Watch) same(was *inventory.Container) []string {
	ids := []string{was.ID}
	for _, e := range w.Events {
		if e.Name != was.Name || slices.Contains(ids, e.Container) {
			continue
		}
		if c := w.known(e.Container); c != nil && c.Inspect.Image == was.Inspect.Image && c.Work().Digest() == was.Work().Digest() {
			ids = append(ids, e.Container)
		}
	}
	return ids
}

// known is a container as it was seen last; nil: it never was.
func (w *Watch) known(id string) *inventory.Container {
	if c := w.final(id); c != nil {
		return c
	}
	if look := w.look(id); look != nil {
		return look.Container
	}
	return nil
}

// final is a container as it is at the end; nil: it is gone, or could not be read.
func (w *Watch) final(id string) *inventory.Container {
	if w.Host == nil {
		return nil
	}
	for i := range w.Host.Containers {
		if c := &w.Host.Containers[i]; c.ID == id && c.Problem == "" {
			return c
		}
	}
	return nil
}

// life is what one container went through.
type life struct {
	runs     bool
	phase    string // "": none
	since    time.Time
	last     time.Time // event
	stopping bool      // it was asked to end
	signal   int       // the last that it was sent
	killed   bool
	counted  bool // its end is
	exit     int
	ended    bool // by itself, when it was asked to, at some time
}

// tale counts the events of the lives of one container and its successors into a window.
type tale struct {
	window *evidence.Window
	phases []evidence.Phase
	lives  map[string]*life
}

// told fills in what events say of the containers with these ids. was is the first of them.
func (w *Watch) told(was *inventory.Container, ids []string, window *evidence.Window) []evidence.Phase {
	t := &tale{window: window, lives: make(map[string]*life)}
	for _, id := range ids {
		t.lives[id] = &life{}
	}
	if was.Running() {
		first := t.lives[was.ID]
		first.runs = true
		first.enter(evidence.PhaseRun, window.From)
	}
	for _, e := range w.Events {
		if l := t.lives[e.Container]; l != nil && !e.At.Before(window.From) && !e.At.After(window.To) {
			t.event(l, e)
			l.last = e.At
		}
	}
	for _, id := range ids {
		t.leave(t.lives[id], window.To)
	}
	slices.SortStableFunc(t.phases, func(a, b evidence.Phase) int { return a.From.Compare(b.From) })
	return t.phases[max(0, len(t.phases)-maxPhases):]
}

func (t *tale) event(l *life, e Event) {
	switch e.Action {
	case Created:
		if !swapName.MatchString(e.Name) {
			t.window.Creates++
			l.enter(evidence.PhaseCreate, e.At)
		}
	case Started:
		t.start(l, e)
	case Healthy:
		if l.phase == evidence.PhaseStart || l.phase == evidence.PhaseSecondStart {
			t.phases = append(t.phases, evidence.Phase{Name: l.phase, From: l.since, To: e.At})
			l.enter(evidence.PhaseRun, e.At)
		}
	case Killed:
		t.signal(l, e)
	case Died:
		t.leave(l, e.At)
		l.runs, l.exit = false, e.Exit
		t.end(l, l.stopping)
	case Stopped: // follows the end, whatever signal the image wants to be stopped with
		t.end(l, l.signal != 0)
	}
}

func (t *tale) start(l *life, e Event) {
	began := e.At.Add(-eventLag)
	if began.Before(l.last) {
		began = l.last
	}
	if began.Before(t.window.From) {
		began = t.window.From
	}
	t.leave(l, began)
	t.window.Starts++
	t.window.Startup = true
	phase := evidence.PhaseStart
	if l.ended {
		phase, t.window.SecondStart = evidence.PhaseSecondStart, true
	}
	*l = life{runs: true, ended: l.ended}
	l.enter(phase, began)
}

func (t *tale) signal(l *life, e Event) {
	l.killed = l.killed || e.Signal == int(syscall.SIGKILL)
	l.signal = e.Signal
	asked := slices.Contains([]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}, syscall.Signal(e.Signal))
	if asked && !l.stopping {
		l.stopping = true
		t.leave(l, e.At)
		l.enter(evidence.PhaseStop, e.At)
	}
}

// end counts an end once, if the container came to it itself.
func (t *tale) end(l *life, asked bool) {
	if l.runs || l.counted || !asked || l.killed || l.exit == killedExit {
		return
	}
	l.counted, l.ended = true, true
	t.window.Stops++
}

func (l *life) enter(phase string, at time.Time) { l.phase, l.since = phase, at }

// leave closes the phase that a container is in. A start of which no health check says when it was over ends by itself.
func (t *tale) leave(l *life, at time.Time) {
	if l.phase == "" {
		return
	}
	p := evidence.Phase{Name: l.phase, From: l.since.UTC(), To: at.UTC()}
	l.phase = ""
	if over := p.From.Add(startTime); (p.Name == evidence.PhaseStart || p.Name == evidence.PhaseSecondStart) && over.Before(p.To) {
		t.phases = append(t.phases, evidence.Phase{Name: p.Name, From: p.From, To: over})
		p.Name, p.From = evidence.PhaseRun, over
	}
	t.phases = append(t.phases, p)
}
