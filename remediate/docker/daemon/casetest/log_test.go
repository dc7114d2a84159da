package casetest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// flood writes thousands of numbered lines a second, until it is told to stop.
const flood = `i=0; while [ ! -e /stop ]; do i=$((i+1)); echo "line $i of a log that fills the pipe soon enough"; [ $((i%50)) -ne 0 ] || usleep 10000; done; echo end $i; sleep 10000`

// TestLogThroughARestart: an engine that shuts down drops what it has read from a container and not stored. No tool
// can keep that back; what the plan says of it, and the advice to pause such a container, must be true.
func TestLogThroughARestart(t *testing.T) {
	r := newRig(t)
	r.record("71", "containers that flood their log while the engine restarts, one of them paused meanwhile",
		"the plan says before: lines that the engine had not stored are lost; of the paused one none", "the same once more")
	r.run("flood", r.image(), "sh", "-c", flood)
	r.run("paused", r.image(), "sh", "-c", flood)
	s := r.prepare(alive())
	around := func(restart func()) {
		r.host.Docker(t, "pause", "paused")
		r.stored("paused")
		restart()
		r.host.Docker(t, "unpause", "paused")
	}
	around(func() { r.must(r.do(s)) })
	around(func() { r.back(s) })
	for name, most := range map[string]int{"flood": 2, "paused": 0} {
		lines, gaps := r.gaps(name)
		t.Logf("%s: %d lines, lost %v", name, lines, gaps)
		if len(gaps) > most {
			t.Errorf("%s lost lines at %d points %v: at most %d restarts may have cost some", name, len(gaps), gaps, most)
		}
	}
}

// stored waits until the engine has written down what a paused container has logged: on a busy machine it lags behind.
func (r *rig) stored(name string) {
	r.Helper()
	const still = 500 * time.Millisecond
	path, last, since := r.inspect(name, "{{.LogPath}}"), int64(-1), time.Now()
	r.until("the end of what "+name+" has logged", func() bool {
		info, err := os.Stat(path)
		if err != nil {
			r.Fatal(err)
		}
		if info.Size() != last {
			last, since = info.Size(), time.Now()
		}
		return time.Since(since) > still
	})
}

// gaps ends a flood and reads its log: how many lines it wrote, and where some are missing. A line that was cut in two
// by the restart is missing too.
func (r *rig) gaps(name string) (int, []string) {
	r.Helper()
	r.host.Docker(r.T, "exec", name, "touch", "/stop")
	var lines []string
	r.until("the end of the log of "+name, func() bool {
		lines = strings.Split(r.host.Docker(r.T, "logs", name), "\n")
		return strings.HasPrefix(lines[len(lines)-1], "end ")
	})
	var gaps []string
	last := 0
	for _, line := range lines[:len(lines)-1] {
		var n int
		if _, err := fmt.Sscanf(line, "line %d of a log that fills the pipe soon enough", &n); err != nil {
			r.Logf("%s: a piece of a line after %d: %q", name, last, line)
			continue
		}
		if n <= last {
			r.Errorf("%s: line %d comes after line %d", name, n, last)
		}
		if n != last+1 {
			gaps = append(gaps, fmt.Sprintf("%d after line %d", n-last-1, last))
		}
		last = n
	}
	return last, gaps
}
