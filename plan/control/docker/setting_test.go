package docker

import (
	"encoding/json"
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
					asked[f.Resource.Kind][generic(c.Path)] = true
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
	for _, forged := range []string{"HostConfig.Mounts", "HostConfig.Binds", "HostConfig.NetworkMode", "HostConfig.LogConfig.Type", "HostConfig.LogConfig.Config.splunk-token", "Config.Image", "Mounts[/x].Source", "Config.Cmd", "hosts", "authorization-plugins", ""} {
		for kind := range settings {
			if Changes(kind, forged) {
				t.Errorf("%q of a %s may be changed", forged, kind)
			}
		}
	}
}

// What a recreate takes from the engine's defaults stands in plans too, and only in those of containers.
func TestDefaultsMayBePlanned(t *testing.T) {
	for _, path := range []string{"HostConfig.LogConfig.Config.max-size", "HostConfig.Ulimits", "HostConfig.Init"} {
		if !Changes(plan.ResourceContainer, path) || Changes(plan.ResourceDaemon, path) {
			t.Errorf("%s: of a container %t, of the engine %t", path, Changes(plan.ResourceContainer, path), Changes(plan.ResourceDaemon, path))
		}
	}
}

// Every change that a fixture's findings ask for is one that a plan may hold, and with another value, for another
// container or under another profile it is none.
func TestChangesContainer(t *testing.T) {
	files, err := filepath.Glob(fixtures + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		for _, s := range scenes(t, file) {
			p := load(t, s.profile)
			for _, f := range s.findings(t) {
				c := s.host.Find(f.Resource.ID)
				if f.Resource.Kind != plan.ResourceContainer || c == nil {
					continue
				}
				for _, change := range f.Changes {
					guarded := len(asking(change.Path)) > 0
					seen[generic(change.Path)] = guarded
					if !ChangesContainer(s.host, c, p, change) {
						t.Errorf("%s: %s asks to change %s to %s, and a plan with it would be refused", file, f.Control, change.Path, change.To)
					}
					forged := change
					forged.To = json.RawMessage(`"forged"`)
					if guarded && (ChangesContainer(s.host, c, p, forged) || ChangesContainer(s.host, c, load(t, []byte("controls: {docker/host-hardened: {}}\n")), change)) {
						t.Errorf("%s: %s may be changed to anything, or without being asked for", file, change.Path)
					}
					stranger := ordinaryContainer("stranger")
					if guarded && ChangesContainer(s.host, &stranger, p, change) {
						t.Errorf("%s: %s of any container may be changed", file, change.Path)
					}
				}
			}
		}
	}
	for _, path := range settings[plan.ResourceContainer] {
		if guarded, there := seen[path]; !there || guarded != (len(asking(path)) > 0) {
			t.Errorf("%s: seen %t, guarded %t", path, there, guarded)
		}
	}
}
