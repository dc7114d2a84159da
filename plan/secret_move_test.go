package plan

import (
	"strings"
	"testing"
)

func TestSecretOf(t *testing.T) {
	for _, name := range []string{"A", "_x", "DB_PASSWORD", "db2", strings.Repeat("n", 100)} {
		if got, ok := SecretOf(SecretPath(name)); got != name || !ok {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
	for _, path := range []string{
		"", "Config.Env", "Config.Env[]", "Config.Env[A", "Config.Env[../x]", "Config.Env[a/b]", "Config.Env[A=b]", "Config.Env[1A]", "Config.Env[A B]",
		"Config.Env[A].x", "HostConfig.Env[A]", "Config.Env[A_FILE]", "Config.Env[ä]", "Config.Env[" + strings.Repeat("n", 101) + "]", "Config.Env[A\n]", "xConfig.Env[A]",
	} {
		if name, ok := SecretOf(path); ok {
			t.Errorf("%q is the move of %q", path, name)
		}
	}
}

func TestSecretMoves(t *testing.T) {
	c := Change{Path: SecretPath("DB_PASSWORD")}
	for field, want := range map[string]bool{
		"Config.Env": true, "Mounts": true, "HostConfig.Mounts": true, "HostConfig.Binds": false, "Config.Cmd": false, "HostConfig.CapAdd": false,
	} {
		if got := c.Moves(field); got != want {
			t.Errorf("%s: %t", field, got)
		}
	}
	if file, variable := SecretFile("A"), SecretFileVariable("A"); file != "/run/secrets/A" || variable != "A_FILE" {
		t.Errorf("%s, %s", file, variable)
	}
}
