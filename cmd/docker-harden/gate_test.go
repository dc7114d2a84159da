package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
	"docker-harden/plan/inventory"
	"docker-harden/plan/report"
)

// savedHost is the snapshot of a host that needs no engine: log-level is debug, daemon.json may be written by
// everybody, and each container lacks no-new-privileges, but for those whose name begins with good. One whose
// name begins with odd could not be inspected.
func savedHost(containers ...string) ([]byte, error) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const path = "/etc/docker/daemon.json"
	file := inventory.File{Path: path, Exists: true, Mode: 0o666, ModTime: at, Changed: at, SHA256: strings.Repeat("0", 64)}
	h := inventory.Host{
		Format: inventory.SnapshotFormat, Taken: at,
		Identity: plan.Host{Name: "web01", Engine: "20.10.24", API: "1.41", Summary: "rootful", Endpoint: "unix:///var/run/docker.sock"},
		Engine:   inventory.Engine{Product: "docker", Version: "20.10.24", API: "1.41", LiveRestore: true, Local: true},
		Daemon: inventory.Daemon{
			PID: 1, Exe: "/usr/sbin/dockerd", Argv: []string{"dockerd"}, NextArgv: []string{"dockerd"}, Manager: "bare", Started: at,
			ConfigPath: path, Resolved: path, Config: file, Bytes: []byte(`{"log-level":"debug","live-restore":true}`),
			Keys: map[string]json.RawMessage{"log-level": json.RawMessage(`"debug"`), "live-restore": json.RawMessage(`true`)},
		},
		Files: map[string]inventory.File{path: file}, Images: map[string]inventory.Image{},
	}
	for i, name := range containers {
		c := inventory.Container{ID: fmt.Sprintf("%064x", i+1), Name: name}
		if strings.HasPrefix(name, "odd") {
			c.Problem = "permission denied"
			h.Containers = append(h.Containers, c)
			continue
		}
		security := "[]"
		if strings.HasPrefix(name, "good") {
			security = `["no-new-privileges:true"]`
		}
		c.Raw = fmt.Appendf(nil, `{"Id":%q,"Name":%q,"Image":"sha256:%064x","Created":"2026-03-04T05:06:07Z","Config":{"Image":"x","Labels":{}},`+
			`"HostConfig":{"SecurityOpt":%s},"State":{"Status":"exited"},"NetworkSettings":{},"Mounts":[]}`, c.ID, "/"+name, 9, security)
		h.Containers = append(h.Containers, c)
	}
	var b bytes.Buffer
	err := h.Save(&b)
	return b.Bytes(), err
}

// cmdSavedHost writes a snapshot: savedhost FILE [CONTAINER...].
func cmdSavedHost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: savedhost FILE [CONTAINER...]")
	}
	data, err := savedHost(args[1:]...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// gate runs check on a saved host, of one control a kind of resource.
func gate(t *testing.T, snapshot string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runApp(t, append([]string{
		"check", "--from", snapshot, "--only", "docker/log-level", "--only", "docker/daemon-json-mode", "--only", "docker/no-new-privileges",
	}, args...)...)
}

// save writes the snapshot of a host with these containers.
func save(t *testing.T, containers ...string) string {
	t.Helper()
	data, err := savedHost(containers...)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "host.snapshot")
	write(t, file, string(data))
	return file
}

// auditJSON is what check says in JSON.
func auditJSON(t *testing.T, text string) (a report.Audit) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return a
}

func known(t *testing.T, file string) (targets string) {
	t.Helper()
	f, err := baseline.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Failures {
		targets += e.String() + "\n"
	}
	return targets
}

// TestGateExits: what fails is 2, what could not be judged 1, everything else 0; a failure decides first.
func TestGateExits(t *testing.T) {
	for _, row := range []struct {
		containers, args []string
		want             int
		says             string
	}{
		{[]string{"web"}, nil, exitFindings, ""},
		{[]string{"good"}, nil, exitFindings, ""},
		{[]string{"good"}, []string{"--skip", "daemon", "--skip", "host"}, exitOK, ""},
		{[]string{"good", "odd"}, []string{"--skip", "daemon", "--skip", "host"}, exitError, "cannot judge 1 verdict\n  docker/no-new-privileges on container/odd: it could not be inspected"},
		{[]string{"web", "odd"}, []string{"--skip", "daemon", "--skip", "host"}, exitFindings, ""},
		{[]string{"web", "odd"}, []string{"container/odd"}, exitError, "cannot judge 1 verdict"},
		{[]string{"web"}, []string{"--severity", "high", "container/web"}, exitFindings, ""},
		{[]string{"web"}, []string{"--severity", "high", "daemon"}, exitOK, ""},
		{[]string{"odd1", "odd2", "odd3", "odd4", "odd5", "odd6", "odd7"}, []string{"container/odd*"}, exitError, "… 2 more"},
	} {
		snapshot := save(t, row.containers...)
		for _, format := range []string{"text", "json", "junit", "sarif", "markdown"} {
			code, _, stderr := gate(t, snapshot, append(row.args, "--format", format)...)
			if code != row.want || row.says == "" && stderr != "" || !strings.Contains(stderr, row.says) {
				t.Errorf("%v %v as %s: exit %d, %q", row.containers, row.args, format, code, stderr)
			}
		}
	}
}

// TestGateNames: no control says two things of one resource: a baseline and the fingerprints in SARIF tell
// verdicts apart by these two names.
func TestGateNames(t *testing.T) {
	_, stdout, _ := runApp(t, "check", "--from", save(t, "web", "good", "odd"), "-p", "cis-level2", "--format", "json")
	seen := map[baseline.Entry]bool{}
	for _, f := range auditJSON(t, stdout).Findings {
		e := baseline.EntryOf(f.Finding)
		if seen[e] {
			t.Errorf("%s is judged twice", e)
		}
		seen[e] = true
	}
	if len(seen) < 3*10 {
		t.Errorf("there are only %d verdicts", len(seen))
	}
}

// TestGateSeverity: what is too mild is neither judged nor shown, and said to be left out.
func TestGateSeverity(t *testing.T) {
	snapshot := save(t, "web")
	_, all, _ := gate(t, snapshot)
	code, high, _ := gate(t, snapshot, "--severity", "high")
	if code != exitFindings || !strings.Contains(all, "docker/log-level") || strings.Contains(high, "docker/log-level") ||
		!strings.Contains(high, "docker/no-new-privileges") || !strings.Contains(high, "1 control below severity high left out.") {
		t.Errorf("exit %d:\n%s", code, high)
	}
	_, text, _ := gate(t, snapshot, "--severity", "high", "--format", "json")
	if a := auditJSON(t, text); a.LeftOut == nil || a.LeftOut.Controls != 1 || a.LeftOut.Severity != plan.RiskHigh || a.Counts.Fail != len(a.Findings) {
		t.Errorf("left out: %+v, counts %+v", a.LeftOut, a.Counts)
	}
	if _, low, _ := gate(t, snapshot, "--severity", "low"); low != all {
		t.Errorf("the lowest severity leaves something out:\n%s", low)
	}
}

// TestBaselineRoundTrip: written once, known afterwards, also of containers made again; what comes is new, what
// goes is told, and rewriting drops it.
func TestBaselineRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known.json")
	both := save(t, "web", "db")
	code, stdout, stderr := gate(t, both, "--baseline", file, "--write-baseline")
	if code != exitOK || !strings.Contains(stdout, "known   container/web") || !strings.Contains(stderr, "4 failures written, 4 of them new, 0 dropped.") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	const first = "docker/no-new-privileges on container/db\ndocker/no-new-privileges on container/web\n" +
		"docker/log-level on daemon\ndocker/daemon-json-mode on host/etc/docker/daemon.json\n"
	if got := known(t, file); got != first {
		t.Errorf("the baseline lists\n%s", got)
	}
	if code, _, stderr := gate(t, both, "--baseline", file, "--fail-on", "new"); code != exitOK || stderr != "" {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if code, _, _ := gate(t, both, "--baseline", file); code != exitFindings {
		t.Errorf("exit %d although any failure counts", code)
	}
	moved := save(t, "new", "web") // web has another id here, and db is gone
	code, stdout, _ = gate(t, moved, "--baseline", file, "--fail-on", "new", "--format", "json")
	a := auditJSON(t, stdout)
	if b := a.Baseline; code != exitFindings || b == nil || b.Known != 3 || b.New != 1 || len(b.Fixed) != 1 || b.Fixed[0].Target != "container/db" || b.FailOn != report.FailOnNew {
		t.Fatalf("exit %d, %+v", code, b)
	}
	for _, f := range a.Findings {
		if f.Known == (f.Resource.Name == "new") {
			t.Errorf("%s on %s: known is %v", f.Control, f.Resource, f.Known)
		}
	}
	if code, _, stderr := gate(t, moved, "--baseline", file, "--write-baseline"); code != exitOK || !strings.Contains(stderr, "4 failures written, 1 of them new, 1 dropped.") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if got, want := known(t, file), strings.ReplaceAll(first, "/db", "/new"); got != want {
		t.Errorf("the baseline lists\n%s", got)
	}
}

// TestBaselineNarrowed: what a run was not asked for, or could not see, is neither called fixed nor dropped.
func TestBaselineNarrowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known.json")
	gate(t, save(t, "web", "odd"), "--baseline", file, "--write-baseline")
	write(t, file, strings.Replace(read(t, file), `"failures": [`, `"failures": [{"control": "docker/no-new-privileges", "target": "container/odd"},`, 1))
	before := known(t, file)
	for _, args := range [][]string{{"--only", "docker/live-restore"}, {"--severity", "high"}, {"daemon"}, {"--skip", "container/web"}, {"--skip", "docker/log-level"}} {
		snapshot := save(t, "web", "odd")
		narrow := append([]string{"check", "--from", snapshot, "--baseline", file}, args...)
		if args[0] != "--only" {
			narrow = append(narrow, "--only", "docker/log-level", "--only", "docker/daemon-json-mode", "--only", "docker/no-new-privileges")
		}
		_, stdout, _ := runApp(t, append(narrow, "--format", "json")...)
		if b := auditJSON(t, stdout).Baseline; b == nil || len(b.Fixed) != 0 {
			t.Errorf("%v: %+v", args, b)
		}
		if code, _, stderr := runApp(t, append(narrow, "--write-baseline")...); code != exitOK || !strings.Contains(stderr, "Kept, because this run did not judge them: ") {
			t.Errorf("%v: exit %d, %q", args, code, stderr)
		}
		if got := known(t, file); got != before {
			t.Errorf("%v: the baseline lists\n%s", args, got)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestBaselineRefused: a slip is said before anything is judged, and no file is lost by it.
func TestBaselineRefused(t *testing.T) {
	snapshot, dir := save(t, "web"), t.TempDir()
	at := func(name, text string) string {
		file := filepath.Join(dir, name)
		write(t, file, text)
		return file
	}
	newer := at("newer.json", `{"format": "docker-harden/baseline/v2", "more": 1}`)
	damaged := at("damaged.json", "{\n\"format\": \"docker-harden/baseline/v1\",\n")
	notes := at("notes", "mine")
	for _, row := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{"--fail-on", "new"}, exitUsage, "name its file with --baseline"},
		{[]string{"--write-baseline"}, exitUsage, "name it with --baseline"},
		{[]string{"--baseline", filepath.Join(dir, "x"), "--write-baseline", "--fail-on", "new"}, exitUsage, "nothing for --fail-on to decide"},
		{[]string{"--baseline", filepath.Join(dir, "x"), "--write-baseline", "--fail-on", "any"}, exitUsage, "nothing for --fail-on to decide"},
		{[]string{"--fail-on", "some"}, exitUsage, "it can be any, new"},
		{[]string{"--format", "yaml"}, exitUsage, "it can be text, json, junit, sarif, markdown"},
		{[]string{"--baseline", filepath.Join(dir, "x")}, exitError, "make it with --write-baseline"},
		{[]string{"--baseline", newer}, exitError, "newer.json: its format is"},
		{[]string{"--baseline", newer, "--write-baseline"}, exitError, "newer.json: its format is"},
		{[]string{"--baseline", damaged, "--write-baseline"}, exitError, "damaged.json:3: it is damaged"},
		{[]string{"--baseline", notes, "--write-baseline"}, exitError, "it is damaged"},
	} {
		code, stdout, stderr := gate(t, snapshot, row.args...)
		if code != row.want || stdout != "" || !strings.Contains(stderr, row.says) {
			t.Errorf("%v: exit %d, stdout %q, stderr %q", row.args, code, stdout, stderr)
		}
	}
	if read(t, notes) != "mine" || !strings.Contains(read(t, newer), "v2") {
		t.Error("a file was overwritten")
	}
}

// TestReportFile: the document goes to the file, its text to stdout; only a report is replaced.
func TestReportFile(t *testing.T) {
	snapshot, dir := save(t, "web"), t.TempDir()
	for format, want := range map[string]string{
		"text": "STATUS ", "json": `"format": "docker-harden/findings/v1"`, "junit": `<testsuites name="docker-harden check"`,
		"sarif": `"version": "2.1.0"`, "markdown": "## docker-harden check: 3 failures\n",
	} {
		file := filepath.Join(dir, format)
		for range 2 {
			code, stdout, stderr := gate(t, snapshot, "--format", format, "-o", file, "--color", "always")
			if code != exitFindings || !strings.Contains(stdout, "3 verdicts: 3 fail") || !strings.Contains(stdout, "\x1b[") || stderr != "Saved "+file+".\n" {
				t.Errorf("%s: exit %d, %q, %q", format, code, stdout, stderr)
			}
		}
		if text := read(t, file); !strings.Contains(text, want) || strings.Contains(text, "\x1b") {
			t.Errorf("%s is\n%s", format, text)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: mode %v, %v", format, info.Mode(), err)
		}
	}
	for name, text := range map[string]string{"notes": "mine", "other.sarif": `{"runs":[{"tool":{"driver":{"name":"other"}}}]}`, "tests.xml": `<?xml version="1.0"?><testsuites name="unit">`, "snapshot": read(t, snapshot)} {
		file := filepath.Join(dir, name)
		write(t, file, text)
		if code, stdout, stderr := gate(t, snapshot, "-o", file); code != exitError || stdout != "" || !strings.Contains(stderr, "holds something else") {
			t.Errorf("%s: exit %d, %q, %q", name, code, stdout, stderr)
		}
		if read(t, file) != text {
			t.Errorf("%s was overwritten", name)
		}
	}
}

// TestGateBlind: from incomplete sight no baseline is written, and nothing is called fixed.
func TestGateBlind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known.json")
	whole := save(t, "web", "db")
	gate(t, whole, "--baseline", file, "--write-baseline")
	before := read(t, file)
	var h map[string]any
	if err := json.Unmarshal([]byte(read(t, whole)), &h); err != nil {
		t.Fatal(err)
	}
	h["containers"], h["problems"] = []any{}, []any{map[string]any{"subject": "containers", "reason": "the engine broke off", "fatal": true}}
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	blind := filepath.Join(t.TempDir(), "blind.snapshot")
	write(t, blind, string(data))
	code, stdout, stderr := gate(t, blind, "--baseline", file, "--write-baseline", "--format", "json")
	if b := auditJSON(t, stdout).Baseline; code != exitError || !strings.Contains(stderr, "the engine broke off") || b == nil || len(b.Fixed) != 0 {
		t.Errorf("exit %d, %q, %+v", code, stderr, b)
	}
	if read(t, file) != before {
		t.Error("a baseline was written from incomplete sight")
	}
}
