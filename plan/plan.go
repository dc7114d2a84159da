package plan

import (
	"fmt"
	"time"
)

// Format is the format version of plan files. A reader refuses any other.
const Format = "docker-harden/plan/v1"

// Plan is every step from what is to what should be, and all it was made from.
type Plan struct {
	Format  string    `json:"format"`
	Tool    string    `json:"tool"` // version of docker-harden that made it
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires"`
	Host    Host      `json:"host"`
	Profile Profile   `json:"profile"`
	// Rules are the controls that were evaluated, by id, in words, so that a saved plan can be
	// reviewed where the tool's version differs.
	Rules    map[string]Rule `json:"rules"`
	Steps    []Step          `json:"steps"`
	Findings []Finding       `json:"findings"`
	// Advice is what has to be done elsewhere: owners of containers that would undo or forbid a change.
	Advice []Advice `json:"advice,omitempty"`
	// Problems are what the inventory could not read. A plan with problems marked Fatal is Errored.
	Problems []Problem `json:"problems,omitempty"`
	// Errored plans can be read and never applied: sight was incomplete.
	Errored bool `json:"errored,omitempty"`
	// FromSnapshot is set for plans made from a saved inventory: readable everywhere, applicable nowhere
	// until made again on the host.
	FromSnapshot bool `json:"from_snapshot,omitempty"`
}

// Host identifies the host a plan is bound to, and what the reader should know of it.
type Host struct {
	Name string `json:"name"`
	// MachineID is a hash of /etc/machine-id, never the id itself (machine-id(5) asks for that).
	MachineID string `json:"machine_id"`
	// EngineID is the engine's own id (GET /info ID); it changes when the data root is replaced.
	EngineID string `json:"engine_id"`
	Engine   string `json:"engine"`   // "20.10.24"
	API      string `json:"api"`      // "1.41"
	Summary  string `json:"summary"`  // "rootful, cgroup v1, live-restore off"
	Endpoint string `json:"endpoint"` // "unix:///var/run/docker.sock"
}

// Profile identifies the profile a plan was made with.
type Profile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the profile's bytes, hex
}

// Rule is a control in words.
type Rule struct {
	ID    string `json:"id"`
	Title string `json:"title"` // the state it wants, as a sentence
	Why   string `json:"why"`   // the threat
	Risk  string `json:"risk"`  // what the change can break
	// Refs are benchmark ids by benchmark, and the STRIDE letters under "stride".
	Refs map[string]string `json:"refs"`
}

// Problem is something the inventory could not read.
type Problem struct {
	Subject string `json:"subject"` // "container/web", "daemon", "/etc/docker/daemon.json"
	Reason  string `json:"reason"`
	// Fatal problems make the whole plan unusable for apply; others make single findings unknown.
	Fatal bool `json:"fatal,omitempty"`
}

// Applicable says whether the plan may be applied at time now; the error says why not.
func (p *Plan) Applicable(now time.Time) error {
	switch {
	case p.Errored:
		return fmt.Errorf("%w: the inventory was incomplete: %s", ErrIncomplete, p.fatalReasons())
	case p.FromSnapshot:
		return fmt.Errorf("%w: it was made from a snapshot; make it again on the host", ErrIncomplete)
	case now.After(p.Expires):
		return fmt.Errorf("%w: it was valid until %s", ErrExpired, p.Expires.Format(time.RFC3339))
	case now.Add(clockSlack).Before(p.Made):
		return fmt.Errorf("%w: it was made at %s, which is later than this host's clock", ErrExpired, p.Made.Format(time.RFC3339))
	}
	return nil
}

// clockSlack is how far a plan may seem to come from the future (a clock set back a little).
const clockSlack = 5 * time.Minute

func (p *Plan) fatalReasons() string {
	text := ""
	for _, problem := range p.Problems {
		if !problem.Fatal {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += problem.Subject + ": " + problem.Reason
	}
	if text == "" {
		return "reason not recorded"
	}
	return text
}

// Step finds a step by id.
func (p *Plan) Step(id string) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return Step{}, false
}
