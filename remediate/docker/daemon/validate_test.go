package daemon

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// dockerd is the engine's binary of this machine.
func dockerd(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("dockerd")
	if err != nil {
		t.Fatalf("%v (apt-get install docker.io)", err)
	}
	return path
}

// script stands in for engines this machine does not have.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dockerd")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestValidateWithTheRealBinary(t *testing.T) {
	exe := dockerd(t)
	tests := []struct {
		name, doc string
		argv      []string
		want      string // "" accepts
	}{
		{"empty object", `{}`, nil, ""},
		{"hardened", `{"icc":false,"live-restore":true,"log-level":"info","userland-proxy":false,"no-new-privileges":true}`, nil, ""},
		{"with flags of a unit", `{"icc":false}`, []string{"-H", "fd://", "--containerd=/run/containerd/containerd.sock"}, ""},
		{"config file of the unit is replaced", `{"icc":false}`, []string{"--config-file", "/nonexistent.json"}, ""},
		{"config file of the unit, joined", `{"icc":false}`, []string{"--config-file=/nonexistent.json"}, ""},
		{"unknown key", `{"no-such-key":1}`, nil, "the following directives don't match any configuration option: no-such-key"},
		{"wrong case", `{"Log-Level":"info"}`, nil, "Log-Level"},
		{"string boolean", `{"icc":"false"}`, nil, "of type bool"},
		{"number in log-opts", `{"log-opts":{"max-file":3}}`, nil, "log-opts"},
		{"bad log level", `{"log-level":"loud"}`, nil, "loud"},
		{"not an object", `[]`, nil, "array"},
		{"flag and file", `{"log-level":"info"}`, []string{"--log-level=info"}, "both as a flag and in the configuration file: log-level: (from flag: info, from file: info)"},
		{"hosts and fd", `{"hosts":["unix:///x"]}`, []string{"-H", "fd://"}, "hosts"},
		{"credentials are masked", `{"insecure-registries":["http://u:hunter2@h"]}`, []string{"--insecure-registry=http://u:hunter2@h"}, "http://***@h"},
		{"unknown flag", `{}`, []string{"--frobnicate"}, "unknown flag: --frobnicate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Validate(context.Background(), exe, append([]string{"/usr/sbin/dockerd"}, tt.argv...), []byte(tt.doc))
			if tt.want == "" {
				if err != nil {
					t.Errorf("Validate = %v, want nil", err)
				}
				return
			}
			var rejected *RejectedError
			if !errors.As(err, &rejected) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Validate = %v, want a rejection with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q shows a password", err)
			}
		})
	}
}

func TestValidateLeavesNothing(t *testing.T) {
	record(t, "43", "userns-remap default in the file that is checked", "no user is made, /etc/subuid is untouched", "")
	exe, root := dockerd(t), filepath.Join(t.TempDir(), "not-made")
	before, err := os.ReadFile("/etc/subuid")
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{"dockerd", "--data-root", root, "--exec-root", root, "--pidfile", root + ".pid", "-H", "unix://" + root + ".sock"}
	if err := Validate(context.Background(), exe, argv, []byte(`{"userns-remap":"default"}`)); err != nil {
		t.Errorf("Validate = %v", err)
	}
	if left, _ := filepath.Glob(root + "*"); len(left) > 0 {
		t.Errorf("validation left %v", left)
	}
	if after, err := os.ReadFile("/etc/subuid"); err != nil || string(after) != string(before) {
		t.Errorf("validation changed /etc/subuid (%v)", err)
	}
}

func TestValidateChange(t *testing.T) {
	exe, good, bad := dockerd(t), []byte(`{"icc":false}`), []byte(`{"icc":7}`)
	tests := []struct {
		name          string
		before, after []byte
		present       bool
		want          string
	}{
		{"both good", good, good, false, ""},
		{"file missing", nil, good, false, ""},
		{"our change", good, bad, false, "the engine would not start with the changed daemon.json: "},
		{"broken before", bad, good, true, "would not start again with the daemon.json and flags it has now"},
		{"blank before, on an old engine", []byte("\n"), good, true, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ValidateChange(context.Background(), exe, []string{"dockerd"}, tt.before, tt.after)
			var rejected *RejectedError
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("ValidateChange = %v, want nil", err)
			case tt.want != "" && (!errors.As(err, &rejected) || rejected.Present != tt.present || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("ValidateChange = %v, want %q, present %v", err, tt.want, tt.present)
			}
		})
	}
}

// newEngine answers as engines from 23.0 do, and proves who it runs as and what it got.
const newEngine = `
case " $* " in *" --validate "*) ;; *) echo "an engine would start now: $*" >&2; exit 3;; esac
[ "$1" = --config-file ] || exit 4
doc=$(cat "$2") || exit 5
case $doc in
*tlskey*) [ "$(id -u)" = 0 ] || { echo "could not load X509 key pair: open /k.pem: permission denied" >&2; exit 1; }; echo "configuration OK";;
*userns-remap*) [ "$(id -u)" = 65534 ] || echo "root: $doc" >&2; echo "open /etc/subuid: permission denied" >&2; exit 1;;
*good*) [ "$(id -u):$(id -g):$(id -G)" = 65534:65534:65534 ] && echo "configuration OK";;
*) echo 'time="x" level=info msg=noise' >&2; echo "unable to configure the Docker daemon with file $2: bad" >&2; echo "See help" >&2; exit 1;;
esac`

func TestValidateWithNewerEngines(t *testing.T) {
	exe := script(t, newEngine)
	for doc, want := range map[string]string{
		`{"good":1}`:   "",
		`{"tlskey":1}`: "",
		`{"bad":1}`:    "the engine would not start with the changed daemon.json: unable to configure the Docker daemon with file /proc/self/fd/3: bad",
	} {
		err := Validate(context.Background(), exe, []string{"dockerd", "--validate", "-D"}, []byte(doc))
		if got := errorText(err); got != want {
			t.Errorf("Validate(%s) = %q, want %q", doc, got, want)
		}
	}
	err := Validate(context.Background(), exe, []string{"dockerd"}, []byte(`{"userns-remap":"default"}`))
	if !errors.Is(err, ErrNotChecked) {
		t.Errorf("Validate with user namespaces = %v, want ErrNotChecked and no run as root", err)
	}
}

func TestValidateBadBinary(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := Validate(ctx, script(t, "sleep 60 & sleep 60"), nil, []byte("{}")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Validate with a hanging binary = %v, want a deadline error", err)
	}
	if err := Validate(context.Background(), "/nonexistent/dockerd", nil, []byte("{}")); err == nil || !strings.Contains(err.Error(), "/nonexistent/dockerd") {
		t.Errorf("Validate without a binary = %v, want its path", err)
	}
	if err := Validate(context.Background(), script(t, "exit 1"), nil, []byte("{}")); err == nil || !strings.Contains(err.Error(), "no message") {
		t.Errorf("Validate with a silent binary = %v, want a rejection", err)
	}
}

func TestValidateFlags(t *testing.T) {
	got := validateFlags([]string{"/usr/bin/dockerd", "-H", "fd://", "--config-file", "/x", "--validate", "--config-file=/y", "--validate=false", "--label", "a=b"})
	if want := []string{"-H", "fd://", "--label", "a=b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("validateFlags = %q, want %q", got, want)
	}
	if got := validateFlags(nil); got != nil {
		t.Errorf("validateFlags(nil) = %q", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
