package casetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// strict is a profile that recreates nearly every container.
const strict = `format: docker-harden/profile/v1
name: cases
controls:
  docker/no-new-privileges: {params: {accept: true}}
  docker/capabilities: {}
`

// findings observes the host and judges it by the profile, as a plan does.
func findings(t *testing.T, h *host.Host, text string) []plan.Finding {
	t.Helper()
	p, err := profile.Load([]byte(text), "cases.yaml", control.Catalog(controls.Controls()))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := inventory.Collect(t.Context(), h.Client(t), inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return control.Evaluate(seen, p, controls.Controls(), time.Now())
}

// about are the findings of a container that a plan would recreate, or says why it does not.
func about(all []plan.Finding, name string) []plan.Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f plan.Finding) bool {
		return f.Resource.Name != name || f.Blocked == "" && len(f.Changes) == 0
	})
}

// blocked fails unless the plan says why it does not recreate the container.
func blocked(t *testing.T, h *host.Host, name, want string) {
	t.Helper()
	list := about(findings(t, h, strict), name)
	if len(list) == 0 {
		t.Errorf("the plan has nothing to say about %s", name)
	}
	for _, f := range list {
		if !strings.Contains(f.Blocked, want) {
			t.Errorf("%s of %s: blocked %q, want %q", f.Control, name, f.Blocked, want)
		}
	}
}

// says fails unless the plan recreates the container and has this among its notes or risks.
func says(s *stage, want string) {
	s.Helper()
	list := about(findings(s.T, s.h, strict), s.name)
	if len(list) == 0 {
		s.Errorf("the plan does not recreate %s", s.name)
	}
	for _, f := range list {
		if words := strings.Join(append(slices.Clone(f.Risk.Reasons), f.Notes...), "\n"); f.Blocked != "" || !strings.Contains(words, want) {
			s.Errorf("%s of %s says %q and is blocked by %q, want %q", f.Control, s.name, words, f.Blocked, want)
		}
	}
}
