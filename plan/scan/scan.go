// Package scan reads what vulnerability scanners found in images: reports of Trivy (trivy image --format json) and
// of Grype (grype -o json). Nothing is scanned and nothing is fetched here.
// There is no API promise before v1.
package scan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxSize bounds a report file, in bytes. One of an image with ten thousand findings has about 40 MiB.
const MaxSize = 128 << 20

// Severity is how bad a scanner calls a vulnerability.
type Severity string

// The severities, the least first. Unrated is what a scanner gives no rating, or one that is none of these.
const (
	Unrated    Severity = "unrated"
	Negligible Severity = "negligible"
	Low        Severity = "low"
	Medium     Severity = "medium"
	High       Severity = "high"
	Critical   Severity = "critical"
)

// Severities are all of them, the least first.
func Severities() []Severity {
	return []Severity{Unrated, Negligible, Low, Medium, High, Critical}
}

func severity(word string) Severity {
	if s := Severity(strings.ToLower(word)); slices.Contains(Severities(), s) {
		return s
	}
	return Unrated
}

// Report is what one scanner found in one image.
type Report struct {
	File    string    `json:"file"` // as it was given
	Scanner string    `json:"scanner"`
	Version string    `json:"version,omitempty"` // of the scanner
	Made    time.Time `json:"made,omitzero"`
	Image   string    `json:"image"` // as the scanner was asked for it
	// ID is the image's id ("sha256:…", of its configuration), Digests are name@sha256:… and Tags name:tag.
	ID      string   `json:"id,omitempty"`
	Digests []string `json:"digests,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	// Counts are the vulnerabilities by severity: each once for a package and its version.
	Counts map[Severity]Count `json:"counts"`
}

// Count is a number of vulnerabilities, and of how many a fixed version exists.
type Count struct {
	All     int `json:"all"`
	Fixable int `json:"fixable"`
}

// AtLeast counts those of a severity and above.
func (r *Report) AtLeast(least Severity) Count {
	var sum Count
	all := Severities()
	for _, s := range all[max(0, slices.Index(all, least)):] {
		sum.All += r.Counts[s].All
		sum.Fixable += r.Counts[s].Fixable
	}
	return sum
}

// About reports whether the report is about an image. Tags move, so they count only where the scanner knew neither
// id nor digest.
func (r *Report) About(id string, digests, tags []string) bool {
	meet := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
	}
	if r.ID == "" && len(r.Digests) == 0 {
		return meet(append(slices.Clone(r.Tags), r.Image), tags)
	}
	return r.ID == id || meet(r.Digests, digests)
}

// Read reads a report. name is the file's, for errors and to show.
func Read(name string, data []byte) (*Report, error) {
	var head struct {
		SchemaVersion *int
		ArtifactName  *string
		Matches       *json.RawMessage `json:"matches"`
		Descriptor    *json.RawMessage `json:"descriptor"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("cannot read the scanner's report %s: %s", name, problem(data, err))
	}
	var r *Report
	var err error
	switch {
	case head.SchemaVersion != nil && head.ArtifactName != nil:
		r, err = trivy(data)
	case head.Matches != nil && head.Descriptor != nil:
		r, err = grype(data)
	default:
		err = fmt.Errorf("it is none of Trivy's or Grype's in JSON; make it with trivy image --format json, or grype -o json")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the scanner's report %s: %w", name, err)
	}
	if r.Made.Year() > 9999 {
		return nil, fmt.Errorf("cannot read the scanner's report %s: it was made in the year %d", name, r.Made.Year())
	}
	if r.File = name; r.ID == "" && len(r.Digests) == 0 && len(r.Tags) == 0 && r.Image == "" {
		return nil, fmt.Errorf("cannot read the scanner's report %s: it does not say which image it is about", name)
	}
	return r, nil
}

// problem says what is wrong with JSON, and in which line.
func problem(data []byte, err error) string {
	at := int64(-1)
	switch e := err.(type) { //nolint:errorlint // encoding/json wraps nothing
	case *json.SyntaxError:
		at = e.Offset
	case *json.UnmarshalTypeError:
		at = e.Offset
	}
	if at < 0 || at > int64(len(data)) {
		return err.Error()
	}
	return fmt.Sprintf("line %d: %v", 1+bytes.Count(data[:at], []byte("\n")), err)
}

// tally counts vulnerabilities, each once.
type tally struct {
	seen   map[[3]string]bool
	counts map[Severity]Count
}

func newTally() *tally {
	return &tally{map[[3]string]bool{}, map[Severity]Count{}}
}

// add counts one vulnerability of one version of a package.
func (t *tally) add(key [3]string, s Severity, fixable bool) {
	if t.seen[key] {
		return
	}
	t.seen[key] = true
	c := t.counts[s]
	c.All++
	if fixable {
		c.Fixable++
	}
	t.counts[s] = c
}
