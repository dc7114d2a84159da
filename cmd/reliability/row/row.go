// Package row lets a test say which line of docs/reliability.md it proves. A line is printed when the
// test ends, with its result, and collected by the program in cmd/reliability.
package row

import (
	"encoding/json"
	"testing"
)

// Mark begins every line that a test prints for the report.
const Mark = "reliability-row: "

// The tables of the report.
const (
	Crash    = "crash"    // the tool, the engine or the host is killed at a point of a step
	Fault    = "fault"    // disks, files, signals, clocks, damaged files
	Recreate = "recreate" // every kind of container: numbers 1 to 68
	Daemon   = "daemon"   // daemon.json and the engine: numbers 1 to 83
	Machine  = "machine"  // what needs a virtual machine
	Engine   = "engine"   // newer engines than the machine's own
)

// Row is one case, what is expected of it, and how it came out.
type Row struct {
	Table string `json:"table"`
	// ID is the case's number in its table, or for a table without numbers a short name.
	ID   string `json:"id"`
	Case string `json:"case"`
	// Apply and Rollback are the outcomes the test proves, in a few words. Empty: it does not come to that.
	Apply    string `json:"apply,omitempty"`
	Rollback string `json:"rollback,omitempty"`
	Test     string `json:"test"`
	Result   string `json:"result"` // "pass", "fail" or "skip"
}

// Record prints the row when the test ends.
func Record(t testing.TB, r Row) {
	t.Helper()
	t.Cleanup(func() {
		r.Test, r.Result = t.Name(), "pass"
		switch {
		case t.Failed():
			r.Result = "fail"
		case t.Skipped():
			r.Result = "skip"
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Errorf("internal error: cannot print a row: %v", err)
			return
		}
		t.Log(Mark + string(line))
	})
}
