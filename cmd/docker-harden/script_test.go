package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"docker-harden/cmd/testhost/host"
)

var update = flag.Bool("update", false, "rewrite the golden files inside the scripts")

// TestScripts runs fixtures/scripts: what a person types, and what the tool answers. They share one
// engine, so they run one after another.
func TestScripts(t *testing.T) {
	bin := binary(t)
	testscript.RunT(serial{t}, testscript.Params{
		Dir: filepath.Join("..", "..", "fixtures", "scripts"), UpdateScripts: *update, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			env.Setenv("DOCKER_HARDEN_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Values[testKey{}] = env.T().(serial).T
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": cmdExits, "engine": cmdEngine, "image": cmdImage, "inspects": cmdInspects, "isjson": cmdIsJSON,
			"savedhost": cmdSavedHost,
		},
	})
}

type testKey struct{}

func testOf(ts *testscript.TestScript) *testing.T { return ts.Value(testKey{}).(*testing.T) }

// serial is a *testing.T that runs scripts one after another.
type serial struct{ *testing.T }

func (serial) Parallel()       {}
func (s serial) Verbose() bool { return testing.Verbose() }
func (s serial) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(serial{t}) })
}

// cmdExits runs a program and checks its exit status: exits 64 docker-harden plna.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

// cmdEngine makes sure that the engine runs, and that the host is as before when the script ends.
func cmdEngine(ts *testscript.TestScript, _ bool, args []string) {
	h := host.Here(testOf(ts))
	switch strings.Join(args, " ") {
	case "":
	case "stop":
		h.Stop(testOf(ts))
	default:
		ts.Fatalf("usage: engine [stop]")
	}
}

// cmdImage loads a sample image and puts its name into a variable: image nginx NGINX.
func cmdImage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: image NAME VARIABLE")
	}
	ts.Setenv(args[1], host.Here(testOf(ts)).Image(testOf(ts), args[0]))
}

// runState are the parts of an inspect answer that change by themselves.
var runState = regexp.MustCompile(`(?m)^\s*"(Pid|StartedAt|FinishedAt|SandboxID|SandboxKey|EndpointID|MacAddress|IPAddress|Gateway|LogPath|ResolvConfPath|HostnamePath|HostsPath|RestartCount|ExitCode)":.*$`)

// cmdInspects writes what docker says of every container, without run state, into a file.
func cmdInspects(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: inspects FILE")
	}
	h, t := host.Here(testOf(ts)), testOf(ts)
	ids := strings.Fields(h.Docker(t, "ps", "-aq", "--no-trunc"))
	text := h.Docker(t, append([]string{"inspect"}, ids...)...)
	var all []map[string]any
	ts.Check(json.Unmarshal([]byte(text), &all))
	for _, c := range all {
		mounts, _ := c["Mounts"].([]any) // in random order
		byTarget := make(map[string]any)
		for _, m := range mounts {
			byTarget[fmt.Sprint(m.(map[string]any)["Destination"])] = m
		}
		c["Mounts"] = byTarget
	}
	sorted := make(map[string]any)
	for _, c := range all {
		sorted[fmt.Sprint(c["Name"])] = c
	}
	out, err := json.MarshalIndent(sorted, "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), runState.ReplaceAll(out, nil), 0o600))
}

// cmdIsJSON checks that a file is one JSON document and nothing else: isjson stdout.
func cmdIsJSON(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: isjson FILE")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
}
