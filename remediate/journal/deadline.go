package journal

import (
	"encoding/json"
	"time"
)

// Instant is a moment as this machine's clocks tell it.
type Instant struct {
	// Wall is for people alone: anybody may set that clock.
	Wall time.Time `json:"wall"`
	// Boot names the boot of the machine that is running.
	Boot string `json:"boot"`
	// Up is the time since that boot, time asleep included. Nobody can set it.
	Up time.Duration `json:"up_ns"`
}

// Deadline is when a generation goes back unless somebody confirms it.
type Deadline struct {
	From   Instant       `json:"from"`
	Within time.Duration `json:"within_ns"`
	// Timer is what acts at the deadline, and all that it leaves on the host, in the timer's own form.
	Timer json.RawMessage `json:"timer,omitempty"`
}

// Lapse is why the time to confirm is over.
type Lapse string

// The reasons.
const (
	NotLapsed Lapse = ""       // there is time left
	TimeIsUp  Lapse = "time"   // nobody confirmed in time
	Rebooted  Lapse = "reboot" // the machine was started anew before anybody confirmed
)

// String is the reason in words.
func (l Lapse) String() string {
	switch l {
	case TimeIsUp:
		return "nobody confirmed it in time"
	case Rebooted:
		return "the host was rebooted before anybody confirmed it"
	}
	return "there is time left to confirm it"
}

// Lapsed says whether the time is over. Wall clocks play no part: setting one, in either direction,
// neither shortens nor lengthens the time. Another boot ends it at once, however soon it came.
func (d Deadline) Lapsed(now Instant) Lapse {
	switch {
	case now.Boot != d.From.Boot, now.Up < d.From.Up:
		return Rebooted
	case now.Up-d.From.Up >= d.Within:
		return TimeIsUp
	}
	return NotLapsed
}

// Left is the time that remains; never less than none.
func (d Deadline) Left(now Instant) time.Duration {
	if d.Lapsed(now) != NotLapsed {
		return 0
	}
	return d.Within - (now.Up - d.From.Up)
}

// Expiry is the data of an expired record.
type Expiry struct {
	Why Lapse `json:"why"`
	// By is who saw it and acts: "timer", "apply" or "command".
	By string `json:"by"`
	// At is when that was written.
	At time.Time `json:"-"`
}

// awaited is what the records say of a generation's confirmation.
type awaited struct {
	deadline *Deadline
	timer    json.RawMessage // the timer as it was last described
	disarmed bool            // nothing of the timer is left
	kept     bool            // somebody confirmed
	expired  *Expiry
}

func (a *awaited) apply(r Record) {
	switch r.Kind {
	case Awaiting:
		// Should it be unreadable, the deadline is of no boot of this machine, and so is over.
		var d Deadline
		_ = json.Unmarshal(r.Data, &d)
		*a = awaited{deadline: &d, timer: d.Timer}
	case Armed:
		a.timer = r.Data
	case Disarmed:
		a.disarmed = true
	case Confirmed:
		a.kept = true
	case Expired:
		var e Expiry
		_ = json.Unmarshal(r.Data, &e)
		e.At = r.Time
		a.expired = &e
	}
}

// Deadline is the one that the generation was applied with; false: it was applied without.
func (g *Generation) Deadline() (Deadline, bool) {
	if g.awaited.deadline == nil {
		return Deadline{}, false
	}
	return *g.awaited.deadline, true
}

// Pending says that the generation has a deadline, and that neither was it confirmed nor is it undone:
// its fate is open.
func (g *Generation) Pending() bool {
	return g.awaited.deadline != nil && !g.awaited.kept && g.State() != StateRolledBack
}

// Expiry says that the deadline passed, and why; false: it did not, or nobody has acted on it yet.
func (g *Generation) Expiry() (Expiry, bool) {
	if g.awaited.expired == nil {
		return Expiry{}, false
	}
	return *g.awaited.expired, true
}

// Timer describes the timer that is on the host, or may be; false: there is none.
func (g *Generation) Timer() (json.RawMessage, bool) {
	return g.awaited.timer, g.awaited.deadline != nil && !g.awaited.disarmed
}
