package docker

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/profile"
)

var update = flag.Bool("update", false, "write the golden findings of the fixtures")

const golden = "findings.golden"

// TestFixtures compares the findings of every fixture with its golden ones.
func TestFixtures(t *testing.T) {
	for _, c := range Controls() {
		t.Run(short(c), func(t *testing.T) {
			file := filepath.Join(fixtures, short(c)+".txtar")
			var got strings.Builder
			seen := map[plan.Status]bool{}
			for _, s := range scenes(t, file) {
				findings := s.findings(t)
				if s.name != "" {
					got.WriteString("== " + s.name + "\n")
				}
				got.WriteString(show(findings))
				for _, f := range findings {
					seen[f.Status] = true
				}
			}
			if !seen[plan.Pass] {
				t.Errorf("%s shows no pass", file)
			}
			if !seen[plan.Fail] && !seen[plan.Manual] {
				t.Errorf("%s shows neither fail nor manual", file)
			}
			compareGolden(t, file, got.String())
		})
	}
}

func short(c control.Control) string { return strings.TrimPrefix(c.ID, "docker/") }

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == golden })
	if i < 0 {
		archive.Files = append(archive.Files, txtar.File{Name: golden})
		i = len(archive.Files) - 1
	}
	want := string(archive.Files[i].Data)
	if want == got {
		return
	}
	if !*update {
		t.Errorf("findings differ from %s (go test ./plan/control/docker -update writes them):\n%s", file, cmp.Diff(want, got))
		return
	}
	archive.Files[i].Data = []byte(got)
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryFixtureHasItsControl fails for a fixture that no control reads.
func TestEveryFixtureHasItsControl(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if !slices.ContainsFunc(Controls(), func(c control.Control) bool { return short(c) == name }) {
			t.Errorf("%s belongs to no control of the list", file)
		}
	}
}

// TestEveryControlIsListed fails for a control whose file is there and whose entry in the list is not.
func TestEveryControlIsListed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := func(id string) bool {
		return slices.ContainsFunc(Controls(), func(c control.Control) bool { return c.ID == id })
	}
	for _, row := range table() {
		if !listed("docker/"+row.id+"-owner") || !listed("docker/"+row.id+"-mode") {
			t.Errorf("row %s of the engine's files is not in the list with both its controls", row.id)
		}
	}
	for _, row := range auditRows() {
		if !listed("docker/audit-" + row.id) {
			t.Errorf("row %s of the audit is not in the list", row.id)
		}
	}
	id := regexp.MustCompile(`(?m)^\t\tID: +"([^"]*)",$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range id.FindAllSubmatch(text, -1) {
			if want := strings.ReplaceAll(strings.TrimPrefix(string(m[1]), "docker/"), "-", "_") + ".go"; file != want {
				t.Errorf("control %s is in %s, want %s", m[1], file, want)
			}
			if !listed(string(m[1])) {
				t.Errorf("control %s of %s is not in the list", m[1], file)
			}
		}
	}
}

func TestProse(t *testing.T) {
	number := regexp.MustCompile(`^[1-7]\.\d+(\.\d+)?$`)
	letters := regexp.MustCompile(`^[STRIDE](,[STRIDE])*$`)
	seen := map[string]bool{}
	for _, c := range Controls() {
		if seen[c.ID] {
			t.Errorf("%s is listed twice", c.ID)
		}
		seen[c.ID] = true
		for what, text := range map[string]string{"why": c.Why, "risk": c.Risk, "fix": c.Fix} {
			if len(text) < 40 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is not a sentence: %q", c.ID, what, text)
			}
		}
		if c.Title == "" || strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: title %q must be a sentence without a full stop", c.ID, c.Title)
		}
		for _, benchmark := range []string{"cis-docker-1.2.0", "cis-docker-1.6.0", "cis-docker-1.8.0"} {
			// A benchmark may not have the recommendation; the newest has all.
			if n, ok := c.Refs[benchmark]; ok && !number.MatchString(n) {
				t.Errorf("%s: %s is %q", c.ID, benchmark, n)
			}
		}
		if !letters.MatchString(c.Refs["stride"]) || len(c.Refs) < 2 || c.Refs["cis-docker-1.8.0"] == "" {
			t.Errorf("%s: refs %v", c.ID, c.Refs)
		}
		if !slices.Contains([]plan.RiskLevel{plan.RiskLow, plan.RiskMedium, plan.RiskHigh}, c.Severity) {
			t.Errorf("%s: severity %q", c.ID, c.Severity)
		}
		if (c.Host == nil) == (c.Container == nil) {
			t.Errorf("%s: needs either a check of the host or one of a container", c.ID)
		}
	}
}

// TestLevel2HasEveryControl fails for a control that no embedded profile turns on.
func TestLevel2HasEveryControl(t *testing.T) {
	p, err := profile.Open("cis-level2", control.Catalog(Controls()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Controls() {
		if _, on := p.Controls[c.ID]; !on {
			t.Errorf("%s is in no profile", c.ID)
		}
	}
}

func TestParams(t *testing.T) {
	for _, c := range Controls() {
		for _, p := range c.Params {
			ok := false
			switch p.Default.(type) {
			case bool:
				ok = p.Type == profile.TypeBool
			case int64:
				ok = p.Type == profile.TypeInt || p.Type == profile.TypeSize
			case float64:
				ok = p.Type == profile.TypeFloat
			case string:
				ok = p.Type == profile.TypeText || p.Type == profile.TypeChoice && slices.Contains(p.Choices, p.Default.(string))
			case []string:
				ok = p.Type == profile.TypeList
			}
			if !ok {
				t.Errorf("%s: the default %v of %s is no %s", c.ID, p.Default, p.Name, p.Type)
			}
			if p.Doc == "" || strings.HasSuffix(p.Doc, ".") {
				t.Errorf("%s: %s needs a sentence without a full stop", c.ID, p.Name)
			}
		}
	}
}
