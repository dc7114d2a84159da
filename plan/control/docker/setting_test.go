package docker

import (
	"path/filepath"
	"testing"

	"docker-harden/plan"
)

// The list of settings is what the controls really ask for, in every fixture: no more, no less.
func TestSettingsAreWhatControlsAskFor(t *testing.T) {
	files, err := filepath.Glob(fixtures + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	asked := map[plan.ResourceKind]map[string]bool{}
	for _, file := range files {
		for _, s := range scenes(t, file) {
			for _, f := range s.findings(t) {
				for _, c := range f.Changes {
					if !Changes(f.Resource.Kind, c.Path) {
						t.Errorf("%s asks to change %s of %s, which is not in the list: a plan with it would be refused", f.Control, c.Path, f.Resource)
					}
					if asked[f.Resource.Kind] == nil {
						asked[f.Resource.Kind] = map[string]bool{}
					}
					asked[f.Resource.Kind][c.Path] = true
				}
			}
		}
	}
	for kind, list := range settings {
		for _, path := range list {
			if !asked[kind][path] {
				t.Errorf("no fixture asks to change %s of a %s: why is it in the list?", path, kind)
			}
		}
	}
	for _, forged := range []string{"HostConfig.Privileged", "HostConfig.Binds", "Config.Cmd", "hosts", "authorization-plugins", ""} {
		for kind := range settings {
			if Changes(kind, forged) {
				t.Errorf("%q of a %s may be changed", forged, kind)
			}
		}
	}
}
