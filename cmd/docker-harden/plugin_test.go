package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPluginMetadata(t *testing.T) {
	code, stdout, _ := runApp(t, "docker-cli-plugin-metadata")
	var got struct{ SchemaVersion, Vendor, Version, ShortDescription string }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK {
		t.Fatalf("exit %d, %v in %q", code, err, stdout)
	}
	if got.SchemaVersion != "0.1.0" || got.Vendor == "" || got.Version == "" || got.ShortDescription == "" {
		t.Errorf("metadata %+v", got)
	}
}

// TestDockerRunsUs: the real docker command finds the plugin, offers it, runs it, completes through it.
func TestDockerRunsUs(t *testing.T) {
	config := t.TempDir()
	plugins := filepath.Join(config, "cli-plugins")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(binary(t), program), filepath.Join(plugins, program)); err != nil {
		t.Fatal(err)
	}
	docker := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), "docker", args...)
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+config)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, _ := docker("--help"); !strings.Contains(out, "harden") {
		t.Errorf("docker --help does not offer the plugin:\n%s", out)
	}
	if out, code := docker("harden", "explain", "live-restore"); code != exitOK || !strings.HasPrefix(out, "docker/live-restore") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if out, code := docker("-D", "-H", "unix:///nowhere.sock", "harden", "plan"); code != exitError || !strings.Contains(out, "/nowhere.sock") {
		t.Errorf("exit %d, docker's own flags are not understood:\n%s", code, out)
	}
	if out, code := docker("harden", "plna"); code != exitUsage || !strings.Contains(out, "See 'docker harden --help'") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if out, _ := docker("__complete", "harden", "pl"); !strings.Contains(out, "plan\t") || !strings.Contains(out, ":4") {
		t.Errorf("docker's completion does not ask the plugin:\n%s", out)
	}
}

// TestDockerGone: the docker CLI closes its socket instead of forwarding a signal.
func TestDockerGone(t *testing.T) {
	name := fmt.Sprintf("@docker-harden-test-%d", os.Getpid())
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop, err := withDocker(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("cancelled while docker is there")
	}
	_ = conn.Close()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("not cancelled after docker is gone")
	}
	if cause := context.Cause(ctx); !errors.Is(cause, errDockerGone) {
		t.Errorf("cause %v", cause)
	}
}
