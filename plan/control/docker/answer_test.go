package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/profile"
)

// TestQuestionsAreAnswered puts the answer that each question prints into the profile and judges
// again: the question must be gone. Only icc keeps asking, while containers run.
func TestQuestionsAreAnswered(t *testing.T) {
	for _, c := range Controls() {
		for _, s := range scenes(t, filepath.Join(fixtures, short(c)+".txtar")) {
			for _, f := range s.findings(t) {
				if f.Status != plan.Manual {
					continue
				}
				t.Run(short(c)+"/"+s.name+f.Resource.Name, func(t *testing.T) {
					again := answered(t, s, f)
					if stays := strings.Contains(s.name, "manual-running"); (again.Status == plan.Manual) != stays {
						t.Errorf("after the answer of\n%s\nit is still %s: %s", f.Question, again.Status, again.Message)
					}
				})
			}
		}
	}
}

// answered judges a finding's resource again with the answer to its question in the profile.
func answered(t *testing.T, s scene, f plan.Finding) plan.Finding {
	t.Helper()
	_, answer, ok := strings.Cut(f.Question, answerMark)
	if !ok {
		t.Fatalf("the question has no answer: %q", f.Question)
	}
	answer = strings.NewReplacer("YYYY-MM-DD", "2026-12-31", "SIZE", "1GiB", "NUMBER", "4096").Replace(answer)
	dir := t.TempDir()
	head := "format: " + profile.Format + "\n"
	if err := os.WriteFile(filepath.Join(dir, "base.yaml"), []byte(head+"name: base\n"+string(s.profile)), 0o600); err != nil {
		t.Fatal(err)
	}
	text := head + "name: answer\nextends: base\n" + answer + "\n"
	p, err := profile.Load([]byte(text), filepath.Join(dir, "answer.yaml"), control.Catalog(Controls()))
	if err != nil {
		t.Fatalf("the answer is no profile: %v\n%s", err, text)
	}
	for _, again := range control.Evaluate(s.host, p, Controls(), now) {
		if again.Control == f.Control && again.Resource == f.Resource {
			return again
		}
	}
	t.Fatal("there is no finding any more")
	return plan.Finding{}
}
