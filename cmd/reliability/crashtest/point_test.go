//go:build reliability

package crashtest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// point is an instant at which the tool is ended.
type point struct {
	n    int    // its number on the way
	name string // in words
	raw  string // as traced
	last string // the end of the name, where it is of more than one
}

// same says that the host is the same at one point and at the next: after one thing is before another, and
// a kernel that goes on forgets nothing that was not on disk yet.
func same(one, next string) bool {
	switch {
	case strings.HasPrefix(one, "after ") && strings.HasPrefix(next, "before "):
		return true
	case one == "layer copied, not on disk", one == "after chmod, not on disk":
		return true
	}
	for from, to := range map[string]string{
		"renamed, not on disk: ":        "after writing ",
		"written, not on disk: record ": "on disk, its end not noted: record ",
	} {
		a, ok1 := strings.CutPrefix(one, from)
		b, ok2 := strings.CutPrefix(next, to)
		if ok1 && ok2 && a == b {
			return true
		}
	}
	return false
}

// begun leaves out what comes before the generation has its name: nothing of it depends on the kind.
func begun(points []point) []point {
	i := slices.IndexFunc(points, func(p point) bool { return strings.HasPrefix(p.name, "generation named") })
	return points[max(i, 0):]
}

// list runs the tool and lists its points. An instant after one thing and before the next is one point.
func (r *rig) list(t *testing.T, args ...string) []point {
	t.Helper()
	_ = os.Remove(r.host.Path(trace))
	if res := r.try(t, args, "DOCKER_HARDEN_CRASH_TRACE="+trace); res.code != 0 {
		t.Fatalf("docker-harden %s: exit %d\n%s", strings.Join(args, " "), res.code, res.output)
	}
	data, err := os.ReadFile(r.host.Path(trace))
	if err != nil {
		t.Fatal(err)
	}
	var out []point
	for line := range strings.Lines(string(data)) {
		number, raw, _ := strings.Cut(strings.TrimSpace(line), "\t")
		p := point{raw: raw, name: r.words(raw), last: r.words(raw)}
		if _, err := fmt.Sscan(number, &p.n); err != nil {
			t.Fatalf("cannot read %q: %v", line, err)
		}
		if last := len(out) - 1; last >= 0 && same(out[last].raw, raw) {
			out[last].name += ", " + p.name
			out[last].n, out[last].raw, out[last].last = p.n, p.raw, p.last
			continue
		}
		out = append(out, p)
	}
	return out
}

var (
	randomNames = regexp.MustCompile(`\.dh-[0-9a-z]+-`)
	marks       = regexp.MustCompile(`\.[0-9a-f]{8}\b`)
	keptIDs     = regexp.MustCompile(`(` + regexp.QuoteMeta(state) + `/kept/\w+)\.[0-9a-f]{12}\b`)
	volumeMarks = regexp.MustCompile(`(docker-harden-[a-z]+-)[0-9a-f]{8}-`)
	newborn     = regexp.MustCompile(regexp.QuoteMeta(state) + `/generations/(\.new-)?[0-9]+`)
	longID      = regexp.MustCompile(`[0-9a-f]{64}`)
	action      = regexp.MustCompile(`engine call POST (?:/v[0-9.]+)?/containers/(\S+)/(\w+)(?:\?name=(\S+))?`)
	creation    = regexp.MustCompile(`engine call POST /v[0-9.]+/containers/create\?name=(\S+)`)
	removal     = regexp.MustCompile(`engine call DELETE /v[0-9.]+/containers/(\S+)\?\S*`)
	connection  = regexp.MustCompile(`engine call POST /v[0-9.]+/networks/(\S+)/connect`)
)

// words says what a point is without what differs from run to run.
func (r *rig) words(raw string) string {
	s := creation.ReplaceAllString(raw, "create $1")
	s = removal.ReplaceAllString(s, "remove $1")
	s = connection.ReplaceAllString(s, "connect to network $1")
	s = action.ReplaceAllString(s, "$2 $1 $3")
	s = randomNames.ReplaceAllString(s, ".dh-…-")
	s = plainMark(s)
	s = newborn.ReplaceAllString(s, "generation")
	s = longID.ReplaceAllStringFunc(s, func(id string) string {
		for place, value := range r.old {
			if name, ok := strings.CutPrefix(place, "id of "); ok && value == id {
				return name
			}
		}
		return "the new one"
	})
	return strings.TrimSpace(s)
}
