package journal_test

import (
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/remediate/journal"
)

func TestDeadlineKnowsNoWallClock(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Fault, ID: "confirm-clock", Case: "the wall clock is set back or forward while an apply waits for its confirm",
		Apply: "the time to confirm stays what it was", Rollback: "at the same moment as without",
	})
	wall := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d := journal.Deadline{From: journal.Instant{Wall: wall, Boot: "b1", Up: time.Hour}, Within: 5 * time.Minute}
	for _, test := range []struct {
		name string
		now  journal.Instant
		want journal.Lapse
		left time.Duration
	}{
		{"at once", journal.Instant{Wall: wall, Boot: "b1", Up: time.Hour}, journal.NotLapsed, 5 * time.Minute},
		{"just before", journal.Instant{Wall: wall.Add(5*time.Minute - 1), Boot: "b1", Up: time.Hour + 5*time.Minute - 1}, journal.NotLapsed, 1},
		{"just now", journal.Instant{Wall: wall.Add(5 * time.Minute), Boot: "b1", Up: time.Hour + 5*time.Minute}, journal.TimeIsUp, 0},
		{"clock a year ahead", journal.Instant{Wall: wall.AddDate(1, 0, 0), Boot: "b1", Up: time.Hour + time.Minute}, journal.NotLapsed, 4 * time.Minute},
		{"clock a year back", journal.Instant{Wall: wall.AddDate(-1, 0, 0), Boot: "b1", Up: time.Hour + 6*time.Minute}, journal.TimeIsUp, 0},
		{"slept through it", journal.Instant{Wall: wall, Boot: "b1", Up: 9 * time.Hour}, journal.TimeIsUp, 0},
		{"rebooted", journal.Instant{Wall: wall.Add(time.Minute), Boot: "b2", Up: time.Minute}, journal.Rebooted, 0},
		{"rebooted long ago", journal.Instant{Wall: wall.Add(time.Minute), Boot: "b2", Up: time.Hour + time.Minute}, journal.Rebooted, 0},
		{"rebooted under the same name", journal.Instant{Wall: wall, Boot: "b1", Up: time.Minute}, journal.Rebooted, 0},
	} {
		if got, left := d.Lapsed(test.now), d.Left(test.now); got != test.want || left != test.left {
			t.Errorf("%s: %q with %s left, want %q with %s", test.name, got, left, test.want, test.left)
		}
	}
}

// What records say of an apply with a deadline, one kind after the other.
func TestAwaitingConfirmation(t *testing.T) {
	d := journal.Deadline{From: journal.Instant{Wall: time.Unix(1, 0).UTC(), Boot: "b", Up: 7}, Within: time.Minute, Timer: []byte(`{"pid":0}`)}
	for _, test := range []struct {
		name, records    string
		pending, expired bool
		timer            string // "": none is left
	}{
		{"armed", "", true, false, `{"pid":5}`},
		{"applied", "prepared a,done a,applied", true, false, `{"pid":5}`},
		{"confirmed", "prepared a,done a,applied,confirmed", false, false, `{"pid":5}`},
		{"confirmed and disarmed", "prepared a,done a,applied,confirmed,disarmed", false, false, ""},
		{"nothing begun", "rolled-back,disarmed", false, false, ""},
		{"killed, then back", "prepared a,expired,rolling-back,undoing a,undone a,rolled-back,disarmed", false, true, ""},
		{"stuck on the way back", "prepared a,done a,applied,expired,rolling-back,undoing a,undo-failed a !,rollback-incomplete !", true, true, `{"pid":5}`},
		{"kept, later stuck", "prepared a,done a,applied,confirmed,disarmed,rolling-back,undoing a,undo-failed a !,rollback-incomplete !", false, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := open(t)
			j, err := s.Create(begin())
			must(t, err)
			must(t, j.Write(journal.Awaiting, "", d))
			must(t, j.Write(journal.Armed, "", map[string]int{"pid": 5}))
			for record := range strings.SplitSeq(test.records, ",") {
				if record == "expired" {
					must(t, j.Write(journal.Expired, "", journal.Expiry{Why: journal.Rebooted, By: "timer"}))
					continue
				}
				write(t, j, record)
			}
			must(t, j.Close())
			gen := load(t, s, 1)
			if got, ok := gen.Deadline(); !ok || got.Within != d.Within || got.From != d.From {
				t.Errorf("%+v %v", got, ok)
			}
			if gen.Pending() != test.pending {
				t.Errorf("pending is %v", gen.Pending())
			}
			e, ok := gen.Expiry()
			if ok != test.expired || ok && (e.Why != journal.Rebooted || e.By != "timer" || e.At.IsZero()) {
				t.Errorf("%+v %v", e, ok)
			}
			timer, left := gen.Timer()
			if left != (test.timer != "") || left && text(timer) != test.timer {
				t.Errorf("%s %v", timer, left)
			}
		})
	}
}

// A crash between the two records: what the timer was going to leave is known all the same.
func TestTimerIsKnownBeforeItIsArmed(t *testing.T) {
	s, _ := open(t)
	j, err := s.Create(begin())
	must(t, err)
	must(t, j.Write(journal.Awaiting, "", journal.Deadline{Within: time.Minute, Timer: []byte(`{"dir":"/x"}`)}))
	must(t, j.Close())
	gen := load(t, s, 1)
	if timer, left := gen.Timer(); !left || text(timer) != `{"dir":"/x"}` || !gen.Pending() || gen.State() != journal.StateApplying {
		t.Errorf("%s %v %v %s", timer, left, gen.Pending(), gen.State())
	}
}

func TestNoDeadline(t *testing.T) {
	s, _ := made(t, "prepared a,done a,applied")
	gen := load(t, s, 1)
	_, dated := gen.Deadline()
	_, timed := gen.Timer()
	_, expired := gen.Expiry()
	if dated || timed || expired || gen.Pending() {
		t.Error("an apply without a deadline has one")
	}
}
