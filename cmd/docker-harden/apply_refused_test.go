package main

import (
	"bytes"
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/evidence"
	"docker-harden/plan/evidence/trace"
)

type fakeCounts struct {
	counts trace.Counts
	err    error
}

func (f *fakeCounts) Counts() (trace.Counts, error) { return f.counts, f.err }

// A refused capability that the evidence saw granted is named, and the file says afterwards that it is needed.
func TestRefusals(t *testing.T) {
	from := time.Now().Add(-time.Hour).UTC()
	f := &evidence.File{
		Format: evidence.Format, Container: evidence.Container{ID: "old", Name: "web", Image: "i", Digest: "d"},
		Windows: []evidence.Window{{From: from, To: from.Add(time.Minute), Hook: "h"}},
		Checks:  []evidence.Check{{Capability: "CHOWN", Call: "chown", Process: "sh", Times: evidence.Times{Count: 1, First: from, Last: from}}},
		Execs:   []evidence.Exec{}, Processes: []evidence.Process{{Name: "apache2", UID: 33}},
	}
	counts := &fakeCounts{err: errors.New("not now")}
	path := filepath.Join(t.TempDir(), "web.evidence.json")
	r := &refusals{
		recorder: counts, hook: "h", missed: map[string]evidence.Check{},
		paths: map[string]string{"web": path}, files: map[string]*evidence.File{"web": f},
	}
	if got := r.of("web", "new"); got.What != "" {
		t.Errorf("without counts: %+v", got)
	}
	const callChown = 92
	counts.err, counts.counts = nil, trace.Counts{Checks: []trace.Check{{
		Group: trace.Group{Container: "new"}, Call: callChown, Comm: "chown", Denied: true, Seen: trace.Seen{Count: 1, First: time.Now(), Last: time.Now()},
	}}}
	if got := r.of("other", "new"); got.What != "" {
		t.Errorf("of a container without evidence: %+v", got)
	}
	if got := r.of("web", "old"); got.What != "" {
		t.Errorf("of another id: %+v", got)
	}
	if got := r.of("web", "new"); got.Capability != "CHOWN" || got.What != "CHOWN denied in chown by chown" {
		t.Errorf("%+v", got)
	}
	var errs bytes.Buffer
	a := &app{err: &errs}
	c := cli.NewContext(nil, flag.NewFlagSet("x", flag.ContinueOnError), nil)
	if err := a.amend(c, r); err != nil {
		t.Fatal(err)
	}
	again, err := readEvidence(path)
	if err != nil || len(again.Windows) != 2 || len(again.Uses("CHOWN")) != 2 {
		t.Errorf("%v, %+v", err, again)
	}
	if !strings.Contains(errs.String(), "web needs CHOWN (CHOWN denied in chown by chown)") {
		t.Errorf("said %q", errs.String())
	}
	if got := knownProcesses(r.files)["web"]; len(got) != 1 || got[0].UID != 33 {
		t.Errorf("known %+v", got)
	}
}
