package learn

import (
	"slices"
	"time"
)

// Event is one thing that happened to a container, as the engine told it.
type Event struct {
	At        time.Time
	Container string // id
	Name      string // its name then; after a rename the new one
	Action    string
	Signal    int // of a kill; 0: the engine did not say
	Exit      int // of a die
}

// What happens to containers, as the engine names it.
const (
	Created = "create"
	Started = "start"
	Killed  = "kill" // it was sent a signal
	Died    = "die"
	Stopped = "stop" // it was to be stopped, and has ended
	Renamed = "rename"
	Healthy = "health_status: healthy" // for the first time since a start, or again
)

// UnknownExit stands for how a container ended of which nobody says: that is not taken for a good end.
const UnknownExit = killedExit

// Story is what is kept of the events of an engine: those of containers that had certain names at some time.
type Story struct {
	names  map[string]bool
	known  map[string]bool // ids
	events []Event
	// strange are the last ones of other containers: one of them may get a watched name yet.
	strange []Event
}

const (
	// maxStrange bounds what is kept of others.
	maxStrange = 256
	// toldAgain is more than what engines remember.
	toldAgain = 512
)

// NewStory begins one about some containers, by name and by id.
func NewStory(ids map[string]string) *Story {
	s := &Story{names: make(map[string]bool), known: make(map[string]bool)}
	for name, id := range ids {
		s.names[name], s.known[id] = true, true
	}
	return s
}

// Add adds what happened, and reports whether it is news about one of the containers: after a break the engine tells
// the last things once more.
func (s *Story) Add(e Event) bool {
	if slices.Contains(s.events[max(0, len(s.events)-toldAgain):], e) {
		return false
	}
	if !s.known[e.Container] && !s.names[e.Name] {
		s.strange = append(s.strange, e)
		if len(s.strange) > maxStrange {
			s.strange = s.strange[1:]
		}
		return false
	}
	if !s.known[e.Container] {
		s.known[e.Container] = true
		for _, before := range s.strange {
			if before.Container == e.Container {
				s.events = append(s.events, before)
			}
		}
	}
	s.events = append(s.events, e)
	return true
}

// Events are those of the containers, the oldest first.
func (s *Story) Events() []Event {
	slices.SortStableFunc(s.events, func(a, b Event) int { return a.At.Compare(b.At) })
	return s.events
}
