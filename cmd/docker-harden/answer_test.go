package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
)

// learntFile is the file of what was seen of a whole life of the container web of a snapshot.
func learntFile(t *testing.T, snapshot string, change func(*evidence.File)) string {
	t.Helper()
	in, err := os.Open(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	h, err := inventory.Load(in, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	f := sampleEvidence(h.Find("web"))
	from := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f.Windows = []evidence.Window{{
		From: from, To: from.Add(2 * time.Hour), Hook: "tp_btf/cap_capable", Startup: true, Creates: 1, Starts: 2, Stops: 1, SecondStart: true, ChecksPassed: true,
	}}
	f.Writes = evidence.Writes{Files: 1, Dirs: []evidence.Dir{{Path: "/run", Files: 1, Mode: 0o755, Image: evidence.ImageEmpty}}}
	if change != nil {
		change(f)
	}
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "web.evidence.json")
	write(t, name, string(data))
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const answerSite = `format: docker-harden/profile/v1
name: site
extends: cis-level2
containers:
  # the database is another matter
  - {match: db, controls: {docker/capabilities: off}}
`

func siteProfile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "site.yaml")
	write(t, name, answerSite)
	return name
}

// Learn, answer, plan: what is written is what the plan then does; a second time nothing is written.
func TestAnswer(t *testing.T) {
	snapshot, site := save(t, "web", "db"), siteProfile(t)
	seen := learntFile(t, snapshot, nil)
	code, stdout, stderr := runApp(t, "answer", "--evidence", seen, "--from", snapshot, "-p", site)
	if code != exitOK || !strings.Contains(stderr, "Next: docker-harden plan -p "+site) {
		t.Fatalf("%d: %s%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"web: docker/capabilities, answered in " + site + ":7:\n", "  high    keep NET_RAW: used 1x in socket by ping (uid 0)\n",
		"  high    drop MKNOD: not used, watched 2 hours, once made anew, started 2 times, stopped once\n", "  medium  drop KILL: not used",
		`  {match: web, controls: {docker/capabilities: {params: {drop: [ALL], keep: [NET_RAW], learnt: "`,
		"web: docker/read-only-rootfs, answered in " + site + ":8:\n", `tmpfs: ["/run:uid=0,gid=0,mode=0755"]`,
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	text, err := os.ReadFile(site)
	if err != nil || !strings.HasPrefix(string(text), answerSite) || strings.Count(string(text), "\n") != strings.Count(answerSite, "\n")+2 {
		t.Errorf("%v: the profile is\n%s", err, text)
	}
	_, stdout, _ = runApp(t, "plan", "--from", snapshot, "--only", "docker/capabilities", "-p", site, "container/web")
	if !strings.Contains(stdout, "it may use CHOWN, DAC_OVERRIDE") || strings.Contains(stdout, "NET_RAW") {
		t.Errorf("the plan is\n%s", stdout)
	}
	code, stdout, stderr = runApp(t, "answer", "--evidence", seen, "--from", snapshot, "-p", site)
	again, err := os.ReadFile(site)
	if code != exitOK || err != nil || string(again) != string(text) || !strings.Contains(stdout, "web: docker/capabilities, answered already\n") || stderr != "" {
		t.Errorf("a second time: %d, %v: %s%s", code, err, stdout, stderr)
	}
}

// What the evidence does not show is not answered, and nothing is written.
func TestAnswerRefuses(t *testing.T) {
	snapshot := save(t, "web")
	for want, change := range map[string]func(*evidence.File){
		"not answered: not seen were a second start after that": func(f *evidence.File) { f.Windows[0].SecondStart = false },
		"not seen were every capability check":                  func(f *evidence.File) { f.Windows[0].Hook = "" },
		"it was learnt with another image":                      func(f *evidence.File) { f.Container.Image = "sha256:2" },
		"it was learnt when it was made differently":            func(f *evidence.File) { f.Container.Digest = "x" },
		"there is no such container":                            func(f *evidence.File) { f.Container.Name = "gone" },
	} {
		site := siteProfile(t)
		code, stdout, stderr := runApp(t, "answer", "--evidence", learntFile(t, snapshot, change), "--from", snapshot, "--only", "capabilities", "-p", site)
		text, err := os.ReadFile(site)
		if code != exitError || !strings.Contains(stdout+stderr, want) || err != nil || string(text) != answerSite {
			t.Errorf("%s: %d: %s%s", want, code, stdout, stderr)
		}
	}
	seen := learntFile(t, snapshot, nil)
	for _, row := range []struct{ args, want string }{
		{"-p cis-level1", "is built in and cannot be changed"}, {"--only nosuch", "unknown control"}, {"--min-confidence some", "it can be low"},
	} {
		code, _, stderr := runApp(t, append([]string{"answer", "--evidence", seen, "--from", snapshot}, strings.Fields(row.args)...)...)
		if code != exitUsage || !strings.Contains(stderr, row.want) {
			t.Errorf("%s: %d: %s", row.args, code, stderr)
		}
	}
	if code, _, stderr := runApp(t, "answer"); code != exitUsage || !strings.Contains(stderr, "answer takes --evidence FILE") {
		t.Errorf("without evidence: %d: %s", code, stderr)
	}
}

// One control alone, and only what is sure enough.
func TestAnswerOnly(t *testing.T) {
	snapshot, site := save(t, "web"), siteProfile(t)
	seen := learntFile(t, snapshot, nil)
	code, stdout, stderr := runApp(t, "answer", "--evidence", seen, "--from", snapshot, "-p", site, "--only", "capabilities", "--min-confidence", "high")
	if code != exitOK || !strings.Contains(stdout, "keep KILL: not used, but that it is not needed is only of medium confidence") ||
		!strings.Contains(stdout, "drop MKNOD: not used") || strings.Contains(stdout, "read-only") {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
}
