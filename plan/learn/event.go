package learn

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
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

// healthyNow is the action of a health check that said healthy for the first time since a start, or again.
const healthyNow = string(events.ActionHealthStatusHealthy)

// EventOf reads what the engine tells; false: it says nothing about the life of a container.
func EventOf(m events.Message) (Event, bool) {
	if m.Type != events.ContainerEventType || m.Actor.ID == "" {
		return Event{}, false
	}
	e := Event{
		At: time.Unix(0, m.TimeNano).UTC(), Container: m.Actor.ID, Action: string(m.Action),
		Name: strings.TrimPrefix(m.Actor.Attributes["name"], "/"),
	}
	switch m.Action {
	case events.ActionKill:
		e.Signal, _ = strconv.Atoi(m.Actor.Attributes["signal"])
	case events.ActionDie:
		var err error
		if e.Exit, err = strconv.Atoi(m.Actor.Attributes["exitCode"]); err != nil {
			e.Exit = killedExit // an end of which nothing is known is not taken for a good one
		}
	case events.ActionCreate, events.ActionStart, events.ActionStop, events.ActionRename, events.ActionHealthStatusHealthy:
	default:
		return Event{}, false
	}
	return e, true
}

// Story is what is kept of the events of an engine: those of containers that had certain names at some time.
type Story struct {
	names  map[string]bool
	known  map[string]bool // ids
	events []Event
	// strange are the last ones of other containers: one of them may get a watched name yet.
	strange []Event
}

// maxStrange bounds what is kept of others.
const maxStrange = 256

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
	if slices.Contains(s.events, e) {
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

// Events are those of the containers, in the order in which they were told.
func (s *Story) Events() []Event { return s.events }
