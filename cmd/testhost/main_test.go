package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

func TestMain(m *testing.M) { host.Main(m) }

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{nil, {"frob"}, {"run", "--no-such-flag"}, {"images", "busybox"}, {"engines", "28"}, {"vm", "up"}, {"check", "-v"}} {
		code, err := run(t.Context(), args, &bytes.Buffer{})
		if code != statusUsage || !errors.Is(err, errUsage) {
			t.Errorf("%q: status %d, %v", args, code, err)
		}
	}
}

func TestHelpAndCheck(t *testing.T) {
	for args, want := range map[string]string{"--help": "testhost run", "check": "this machine can run"} {
		var out bytes.Buffer
		if code, err := run(t.Context(), []string{args}, &out); code != 0 || err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: status %d, %v: %s", args, code, err, out.String())
		}
	}
}

func TestRunPassesTheExitStatus(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	code, err := run(t.Context(), []string{"run", "--", "sh", "-c", "docker info -f '{{.Images}}' >out; echo $PATH >>out; exit 7"}, &bytes.Buffer{})
	if code != 7 || err != nil {
		t.Fatalf("status %d, %v", code, err)
	}
	out, err := os.ReadFile("out")
	if err != nil || !strings.HasPrefix(string(out), "0\n"+filepath.Join(dir, "bin")+":") {
		t.Errorf("engine and PATH in the host: %s, %v", out, err)
	}
}

func TestRunOfAMissingCommand(t *testing.T) {
	if code, _ := run(t.Context(), []string{"run", "--", "no-such-command"}, &bytes.Buffer{}); code != 127 {
		t.Errorf("status %d, want 127", code)
	}
}

func TestWorkload(t *testing.T) {
	t.Chdir(t.TempDir())
	const look = `docker ps --format '{{.Names}}' | sort | tr '\n' ' ' >out; cat /etc/docker/daemon.json >>out
		docker exec web cat /etc/nginx/NOTE >>out`
	if code, err := run(t.Context(), []string{"run", "--workload", "--", "sh", "-c", look}, &bytes.Buffer{}); code != 0 || err != nil {
		t.Fatalf("status %d, %v", code, err)
	}
	want := "cache legacy-agent legacy-app web " + daemonJSON + "patched by hand\n"
	if out, err := os.ReadFile("out"); err != nil || string(out) != want {
		t.Errorf("the workload: %s, %v, want %s", out, err, want)
	}
}
