package docker

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// moveSecret is the environment that a new container has once a value stands in a file.
func moveSecret(t *testing.T, c *inventory.Container, name string, change plan.Change) {
	t.Helper()
	if string(change.From) != `"environment"` || string(change.To) != `"/run/secrets/`+name+`"` {
		t.Errorf("%s of %s goes from %s to %s", change.Path, c.Name, change.From, change.To)
	}
	var whole map[string]json.RawMessage
	config := map[string]json.RawMessage{}
	var env []string
	for _, err := range []error{
		json.Unmarshal(c.Raw, &whole), json.Unmarshal(whole["Config"], &config), json.Unmarshal(config["Env"], &env),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	i := slices.IndexFunc(env, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
	if i < 0 {
		t.Fatalf("%s has no %s", c.Name, name)
	}
	env[i] = name + "_FILE=/run/secrets/" + name
	config["Env"] = raw(env)
	whole["Config"] = raw(config)
	c.Raw = raw(whole)
}

// A plan may move what a control asks to move, into the one file that belongs to it, and nothing else of an environment.
func TestEditedSecretMoves(t *testing.T) {
	seen := 0
	for _, s := range scenes(t, filepath.Join(fixtures, "secrets-in-containers.txtar")) {
		p := load(t, s.profile)
		for _, f := range s.findings(t) {
			c := s.host.Find(f.Resource.ID)
			for _, change := range f.Changes {
				seen++
				for _, path := range []string{
					"Config.Env", "Config.Env[]", "Config.Env[PATH]", "Config.Env[API_TOKEN]", "Config.Env[DB_PASSWORD_FILE]", "Config.Env[../x]",
					"HostConfig.Mounts", "HostConfig.Binds", "Mounts[/run/secrets/DB_PASSWORD].Source",
				} {
					forged := change
					forged.Path = path
					if Changes(plan.ResourceContainer, path) && ChangesContainer(s.host, c, p, forged) {
						t.Errorf("%s: %s may be changed", f.Resource, path)
					}
				}
				for _, to := range []string{`"/run/secrets/OTHER"`, `"/etc/shadow"`, `"environment"`, `null`, `["/run/secrets/DB_PASSWORD"]`, `"hunter2"`} {
					forged := change
					forged.To = json.RawMessage(to)
					if ChangesContainer(s.host, c, p, forged) {
						t.Errorf("%s: %s may be changed to %s", f.Resource, change.Path, to)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no fixture asks for such a change")
	}
}

// No finding of any scene has a part of a value in it.
func TestNoSecretInFindings(t *testing.T) {
	for _, s := range scenes(t, filepath.Join(fixtures, "secrets-in-containers.txtar")) {
		if text := string(raw(s.findings(t))); strings.Contains(text, "sentinel") {
			t.Errorf("%s: %s", s.name, text[max(0, strings.Index(text, "sentinel")-200):])
		}
	}
}

func TestMentions(t *testing.T) {
	for command, want := range map[string]bool{
		"ping -p$DB_PASSWORD": true, "ping -p${DB_PASSWORD}": true, "DB_PASSWORD": true, "x=\"$DB_PASSWORD\"": true,
		"ping": false, "cat $DB_PASSWORD_FILE": false, "$MY_DB_PASSWORD": false, "": false,
	} {
		if got := mentions(strings.Fields(command), "DB_PASSWORD"); got != want {
			t.Errorf("%q: %t", command, got)
		}
	}
}

func TestSameProgram(t *testing.T) {
	for _, tt := range []struct {
		cmd, image string
		same       bool
	}{
		{"serve", "serve", true},
		{"serve -x", "serve -y", true},
		{"-x", "serve", true},
		{"", "", true},
		{"dump", "serve", false},
		{"", "serve", false},
		{"serve", "", false},
	} {
		if got := sameProgram(strings.Fields(tt.cmd), strings.Fields(tt.image)); got != tt.same {
			t.Errorf("%q of %q: %t", tt.cmd, tt.image, got)
		}
	}
}
