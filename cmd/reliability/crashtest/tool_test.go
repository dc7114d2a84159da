//go:build reliability

package crashtest

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"docker-harden/cmd/reliability/row"
)

// thorough: every point with resume and with rollback, instead of a sample with the two in turn.
func thorough() bool { return os.Getenv("DOCKER_HARDEN_TEST_THOROUGH") != "" }

func apply() []string    { return []string{"apply", planFile, "-y", "--stable", "100ms"} }
func resume() []string   { return []string{"resume", "--stable", "100ms"} }
func rollback() []string { return []string{"rollback", "-y", "--stable", "100ms"} }

// way is how the i-th point is tried: finished by resume, by rollback, once by each, or by none.
type way func(i int) (resume, rollback bool)

// sample is of how many points an ordinary run takes one.
const sample = 6

// turns takes resume and rollback in turn, at some points from the first on.
func turns(first int) way {
	return func(i int) (resume, rollback bool) {
		mine, even := i%sample == first, i/sample%2 == 0
		return thorough() || mine && even, thorough() || mine && !even
	}
}

// each tries every point: end ends something there and may say what it saw; then the host is finished by
// resume, or by rollback, or once by each. Afterwards it is as at the start.
func (r *rig) each(t *testing.T, what string, points []point, how way, end func(*testing.T, point) string) {
	t.Helper()
	for i, p := range points {
		resume, rollback := how(i)
		if !resume && !rollback {
			continue
		}
		ok := t.Run(fmt.Sprintf("%02d", i+1), func(t *testing.T) {
			out := row.Row{Table: row.Crash, ID: fmt.Sprintf("%s/%s/%02d", r.kind.name, what, i+1), Case: p.name}
			if resume {
				r.start(t)
				out.Apply = end(t, p)
				r.finish(t, "resume")
				out.Apply += r.oldOrNew(t)
				r.finish(t, "rollback")
				r.isOld(t)
			}
			if rollback {
				r.start(t)
				out.Rollback = end(t, p)
				r.finish(t, "rollback")
				r.isOld(t)
				out.Rollback += "old"
			}
			row.Record(t, out)
		})
		if !ok {
			t.Fatalf("the host is not as before any more: the points after %q are not tried", p.name)
		}
	}
}

// The tool is killed at every point of an apply. resume brings the host to the new state, or leaves it in
// the old one where nothing had begun; rollback brings it to the old one.
func TestToolKilled(t *testing.T) {
	for _, k := range kinds() {
		if !thorough() && k.host != nil {
			continue // systemd's engine: in make reliability
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			numbered(t, k)
			r, there, _ := newRig(t, k)
			r.each(t, "tool", there, turns(0), func(t *testing.T, p point) string {
				r.killed(t, p, apply()...)
				return ""
			})
		})
	}
}

// numbered records the case of a list that a kind proves.
func numbered(t *testing.T, k kind) {
	t.Helper()
	r := row.Row{Apply: "resume reaches the new state; a second one does nothing", Rollback: "exact; a second one does nothing"}
	switch k.name {
	case "recreate":
		r.Table, r.ID, r.Case = row.Recreate, "45", "the tool killed by SIGKILL after each step, then run again"
	case "daemon-restart":
		r.Table, r.ID, r.Case = row.Daemon, "78", "the tool killed by SIGKILL after each record"
	default:
		return
	}
	row.Record(t, r)
}

// A rollback of a whole apply is killed at every point: resume and another rollback both go on back.
func TestRollbackKilled(t *testing.T) {
	for _, k := range kinds() {
		if !thorough() && !slices.Contains([]string{"daemon-restart", "recreate", "file-mode"}, k.name) {
			continue // the others in make reliability
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r, _, back := newRig(t, k)
			r.each(t, "back", back, turns(0), func(t *testing.T, p point) string {
				r.run(t, 0, apply()...)
				r.killed(t, p, rollback()...)
				return ""
			})
		})
	}
}

// An apply is killed when all of its last step is done but the record of that, and the resume that undoes
// this half and makes it again is killed at every point.
func TestResumeKilled(t *testing.T) {
	for _, k := range kinds() {
		if !thorough() && !slices.Contains([]string{"recreate", "file-mode"}, k.name) {
			continue // the others in make reliability
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r, there, _ := newRig(t, k)
			half := lastBefore(t, there, "record done")
			r.start(t)
			r.killed(t, half, apply()...)
			onward := r.list(t, resume()...)
			r.run(t, 0, rollback()...)
			r.isOld(t)
			r.each(t, "onward", onward, turns(0), func(t *testing.T, p point) string {
				r.killed(t, half, apply()...)
				r.killed(t, p, resume()...)
				return ""
			})
		})
	}
}

// lastBefore is the last point before something.
func lastBefore(t *testing.T, points []point, what string) point {
	t.Helper()
	for i := len(points) - 1; i >= 0; i-- {
		if points[i].raw == "before "+what {
			return points[i]
		}
	}
	t.Fatalf("no point is before %q", what)
	return point{}
}
