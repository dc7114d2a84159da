package baseline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"docker-harden/plan"
)

// Format is the format version of baseline files. A reader refuses any other.
const Format = "docker-harden/baseline/v1"

// File is a baseline: the failures that are known.
type File struct {
	Format   string    `json:"format"`
	MadeBy   string    `json:"made_by"` // "docker-harden 0.1.0"
	Made     time.Time `json:"made"`
	Failures []Entry   `json:"failures"` // sorted, each once
}

// Entry is one known failure. It is comparable and can be a map key.
type Entry struct {
	Control string `json:"control"`
	Target  string `json:"target"` // as [plan.Resource.String] writes it
}

// EntryOf names a finding. Bytes that no JSON document can hold are replaced, as in a file that is read back.
func EntryOf(f plan.Finding) Entry {
	return Entry{strings.ToValidUTF8(f.Control, "\ufffd"), strings.ToValidUTF8(f.Resource.String(), "\ufffd")}
}

// String is "docker/seccomp on container/web".
func (e Entry) String() string { return e.Control + " on " + e.Target }

// Resource is what the target names, without an id.
func (e Entry) Resource() plan.Resource {
	kind, name, found := strings.Cut(e.Target, "/")
	switch {
	case !found:
		return plan.Resource{Kind: plan.ResourceKind(e.Target)}
	case kind == "host":
		return plan.File("/" + name)
	}
	return plan.Resource{Kind: plan.ResourceKind(kind), Name: name}
}

// Make is a baseline of what fails now, and of entries that are kept.
func Make(findings []plan.Finding, kept []Entry, madeBy string, made time.Time) File {
	list := slices.Clone(kept)
	for _, f := range findings {
		if f.Status == plan.Fail {
			list = append(list, EntryOf(f))
		}
	}
	slices.SortFunc(list, compare)
	list = slices.Compact(list)
	if list == nil {
		list = []Entry{}
	}
	return File{Format: Format, MadeBy: madeBy, Made: made.UTC().Truncate(time.Second), Failures: list}
}

func compare(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Control, b.Control))
}

// Encode writes a baseline, a failure a line, so that a review shows what comes and goes.
func (f File) Encode() ([]byte, error) {
	var b bytes.Buffer
	line := func(v any) []byte {
		data, err := json.Marshal(v)
		if err != nil {
			return []byte("null") // strings and times always encode
		}
		return data
	}
	fmt.Fprintf(&b, "{\n  \"format\": %s,\n  \"made_by\": %s,\n  \"made\": %s,\n  \"failures\": [",
		line(f.Format), line(f.MadeBy), line(f.Made))
	for i, e := range f.Failures {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    {\"control\": %s, \"target\": %s}", line(e.Control), line(e.Target))
	}
	if len(f.Failures) > 0 {
		b.WriteString("\n  ")
	}
	b.WriteString("]\n}\n")
	data := plan.Visible(b.Bytes())
	if _, err := Decode(data); err != nil {
		return nil, fmt.Errorf("internal error: a baseline cannot be read back: %w", err)
	}
	return data, nil
}
