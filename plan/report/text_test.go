package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files in fixtures/reports")

// golden compares text with a file of fixtures/reports.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "fixtures", "reports", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; make it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); after a wanted change: go test ./plan/report -update\n%s", name, diff)
	}
}

func textOf(t *testing.T, p *plan.Plan, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, p, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextGolden(t *testing.T) {
	saved := TextOptions{SavedAs: "host.plan", SHA256: "9c1e" + strings.Repeat("0", 60)}
	verbose, summary, colour := saved, saved, saved
	verbose.Verbose, summary.Summary, colour.Color = true, true, true
	for name, o := range map[string]TextOptions{
		"plan.txt": saved, "plan-verbose.txt": verbose, "plan-summary.txt": summary, "plan-colour.txt": colour,
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, textOf(t, samplePlan(), o)) })
	}
}
