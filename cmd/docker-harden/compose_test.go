package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
)

// person runs commands in the host and gives what they print; they must succeed.
type person struct {
	t   *testing.T
	dir string
	env []string
}

func (s person) run(script string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "sh", "-euc", script)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

func newPerson(t *testing.T, more ...string) person {
	t.Helper()
	dir := t.TempDir()
	env := append(os.Environ(), "PATH="+binary(t)+":"+os.Getenv("PATH"), "DOCKER_HARDEN_STATE_DIR="+filepath.Join(dir, "state"))
	return person{t, dir, append(env, more...)}
}

// composeSettings prints what the hardening of the project's container shows, in any order.
const composeSettings = `docker inspect -f '{{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' \
	$(docker ps -q --filter label=com.docker.compose.service=web) | tr -d '[]' | tr ' ' '\n' | sort | xargs`

// TestComposeProject: up, plan, apply, up again without and with the override file, and with a
// changed project file. There is one container at each moment, and with the override it stays hard.
func TestComposeProject(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "63", Case: "Compose project: up after apply",
		Apply:    "no recreate and no second container; with compose.harden.yaml the hardening outlives a change of the project's file",
		Rollback: "same configuration and volumes, another id; up leaves it alone",
	})
	h := host.Here(t)
	s := newPerson(t, "IMAGE="+h.Image(t, "busybox"))
	s.run(`printf 'services:\n  web:\n    image: %s\n    restart: "on-failure:3"\n' $IMAGE >compose.yaml && docker-compose -p shop up -d`)
	ids := func() string { return s.run("docker ps -aq --no-trunc") }

	out := s.run("docker-harden plan -o host.plan project/shop")
	for _, want := range []string{
		"undone by: docker compose up if the file of Compose project shop changes", "compose.harden.yaml keeps it over docker compose up",
		"compose -p shop -f " + s.dir + "/compose.yaml -f " + s.dir + "/compose.harden.yaml up -d", "undo: functional: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan does not say %q:\n%s", want, out)
		}
	}
	if mode := s.run("stat -c %a compose.harden.yaml host.plan"); mode != "644\n600" {
		t.Errorf("modes %s", mode)
	}
	with := "docker-compose -p shop -f compose.yaml -f compose.harden.yaml "
	if config := s.run(with + "config"); !strings.Contains(config, "no-new-privileges:true") || !strings.Contains(config, "mem_limit") {
		t.Errorf("Compose makes of it:\n%s", config)
	}

	s.run("docker-harden apply host.plan -y --stable 1s")
	applied, hard := ids(), s.run(composeSettings)
	if len(strings.Fields(applied)) != 1 || !strings.Contains(hard, "no-new-privileges:true") {
		t.Fatalf("after apply: %s, %s", applied, hard)
	}
	s.run("docker-compose -p shop up -d")
	if got := ids(); got != applied {
		t.Errorf("up made other containers:\n%s\nbefore:\n%s", got, applied)
	}
	s.run("docker-harden rollback -y && docker-compose -p shop up -d")
	if got := ids(); len(strings.Fields(got)) != 1 || strings.Contains(s.run(composeSettings), "no-new-privileges") {
		t.Errorf("after rollback and up: %s", got)
	}

	s.run("docker-harden plan -o host.plan project/shop && docker-harden apply host.plan -y --stable 1s && docker-harden confirm")
	s.run(with + "up -d && echo '    hostname: changed' >>compose.yaml && " + with + "up -d")
	if got := s.run(composeSettings); got != hard {
		t.Errorf("after up with the override: %s, after apply: %s", got, hard)
	}
	if got := ids(); len(strings.Fields(got)) != 1 || s.run("docker inspect -f '{{.Config.Hostname}}' $(docker ps -q)") != "changed" {
		t.Errorf("the change of the project's file is not in: %s", got)
	}
	s.run(`docker-compose -p shop up -d`)
	if got := s.run(composeSettings); strings.Contains(got, "no-new-privileges") {
		t.Errorf("without the override the hardening is still there (%s): the documentation says otherwise", got)
	}
}

// TestOverrideKeepsEarlierOnes: what stands in the way is kept, whatever it is.
func TestOverrideKeepsEarlierOnes(t *testing.T) {
	h := host.Here(t)
	s := newPerson(t)
	h.Docker(t, "run", "-d", "--name", "web", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=web", h.Image(t, "busybox"))
	s.run("docker-harden plan -o host.plan container/web")
	first := s.run("cat compose.harden.yaml")
	s.run("docker-harden plan -o host.plan container/web && test ! -e compose.harden-2.yaml") // of the same settings: replaced
	out := s.run("docker-harden plan -o host.plan --only pids-limit container/web")
	if !strings.Contains(out, "compose.harden.yaml is kept: it is of an earlier plan and sets what this one does not (web: cap_drop") {
		t.Error(out)
	}
	if s.run("cat compose.harden.yaml") == "" || strings.Contains(s.run("cat compose.harden-2.yaml"), "cap_drop") || !strings.Contains(first, "cap_drop") {
		t.Error("the earlier file is gone, or the new one holds what it should not")
	}
	s.run("echo '# mine' >>compose.harden-2.yaml && ln -s /etc/hostname compose.harden-3.yaml && cp compose.harden-2.yaml mine")
	if out := s.run("docker-harden plan -o host.plan --only pids-limit container/web; cmp mine compose.harden-2.yaml"); !strings.Contains(out, "was changed since") ||
		!strings.Contains(out, "no ordinary file") || !strings.Contains(out, "compose.harden-4.yaml") {
		t.Error(out)
	}
	if out := s.run("docker-harden plan container/web && ls"); !strings.Contains(out, "plan -o FILE writes it beside FILE") {
		t.Error(out)
	}
}
