package docker

import (
	"encoding/json"
	"path/filepath"
	"strings"
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
	for _, forged := range []string{"HostConfig.Mounts", "HostConfig.Binds", "HostConfig.Dns", "HostConfig.LogConfig.Type", "HostConfig.LogConfig.Config.splunk-token", "Config.Image", "Mounts[/x].Source", "Config.Cmd", "tls", "tlsciphers", "storage-driver", "data-root", ""} {
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

// The engine may be told to listen on less, to verify clients or to ask plugins, as the profile answers, and nothing else.
func TestChangesDaemon(t *testing.T) {
	seen := map[string]bool{}
	for key, guard := range guardedKeys() {
		one := guard()
		for _, s := range scenes(t, filepath.Join(fixtures, short(one)+".txtar")) {
			p := load(t, s.profile)
			for _, f := range s.findings(t) {
				for _, change := range f.Changes {
					if change.Path != key {
						continue
					}
					seen[key] = true
					if !ChangesDaemon(s.host, p, change) {
						t.Errorf("%s: a plan that changes %s to %s would be refused", s.name, change.Path, change.To)
					}
					if ChangesDaemon(s.host, load(t, []byte("controls: {"+one.ID+": {}}\n")), change) || ChangesDaemon(s.host, load(t, []byte("controls: {docker/icc: {}}\n")), change) {
						t.Errorf("%s: %s may be changed without an answer", s.name, change.Path)
					}
					for _, forged := range []string{
						`["unix:///var/run/docker.sock","fd://","tcp://0.0.0.0:2375"]`, `["unix:///tmp/mine.sock"]`, `["tcp://127.0.0.1:2375"]`, `[]`, `null`, `false`, `"true"`,
						`["mine"]`, `""`, `"root"`, `"mine"`,
					} {
						change.To = json.RawMessage(forged)
						if ChangesDaemon(s.host, p, change) {
							t.Errorf("%s: %s may be changed to %s", s.name, change.Path, forged)
						}
					}
				}
			}
		}
		if !seen[key] {
			t.Errorf("no fixture asks for a change of %s", key)
		}
	}
	if h := ordinaryHost(); !ChangesDaemon(h, load(t, []byte("controls: {docker/icc: {}}\n")), plan.Change{Path: "icc", To: raw(false)}) {
		t.Error("a key that is guarded elsewhere is refused here")
	}
}

// A command line is shown only where nothing in it can be a secret, and without the addresses that are to go.
func TestWithoutHosts(t *testing.T) {
	drop := []string{"tcp://0.0.0.0:2375"}
	for line, want := range map[string]string{
		"dockerd -H fd:// -H tcp://0.0.0.0:2375":                   "dockerd -H fd://",
		"dockerd -Htcp://0.0.0.0:2375 -H=fd://":                    "dockerd -H=fd://",
		"dockerd --host=tcp://0.0.0.0:2375 --host unix:///s":       "dockerd --host unix:///s",
		"dockerd -H tcp://0.0.0.0:2375":                            "",
		"dockerd -H fd:// -H tcp://0.0.0.0:2375 --log-opt token=x": "",
		"dockerd -H fd:// -DH tcp://0.0.0.0:2375":                  "",
		"dockerd -H fd:// -H tcp://0.0.0.0:2375 --pidfile=/a$b":    "",
	} {
		got, ok := withoutHosts(strings.Fields(line), drop)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %t, want %q", line, got, ok, want)
		}
	}
}
