//go:build reliability

package faulttest

import (
	"strings"
	"testing"
	"unicode"

	"docker-harden/cmd/testhost/host"
)

// raw fails the test when something printed would act on a terminal.
func (g *rig) raw(r result) {
	g.Helper()
	for line := range strings.Lines(r.all()) {
		for _, c := range strings.TrimSuffix(line, "\n") {
			if !unicode.IsPrint(c) && c != '\t' {
				g.Errorf("%U is printed raw in %q", c, line)
				return
			}
		}
	}
}

// Whoever may create containers, or edit daemon.json, words labels, environment, commands, log lines and keys. None
// of it reaches the terminal of whoever plans and applies but as visible text, also when things go wrong.
func TestEscapeSequences(t *testing.T) {
	const escape = "a\x1b[2J\u009b31m\u202eb"
	g := newRig(t, "")
	g.prove("escape-sequences", "labels, environment, commands, log lines, daemon.json keys with escape sequences",
		"nothing of them reaches the terminal raw, in text and JSON, in errors too", "")
	image := g.host.Image(t, "busybox")
	// mknod(1) needs MKNOD, which is dropped: the new container ends, and its log goes into the message.
	g.host.Docker(t, "run", "-d", "--name", "loud", "--stop-signal", "KILL", "--tmpfs", "/t:dev", "--label", escape+"="+escape, "-e", "X="+escape,
		"--workdir", "/"+escape, image, "sh", "-c", "mknod /t/null c 1 3 || { echo '"+escape+"'; exit 1; }; exec sleep 3600")
	for _, args := range [][]string{
		{"plan", "--verbose"},
		{"plan", "--format", "json"},
		{"check", "--format", "json"},
		{"check", "--verbose"},
		{"snapshot", "-o", "s"},
		{"plan", "container/" + escape},
		{"plan", "-p", escape},
		{"show", escape},
		{"explain", escape},
		{escape},
		{"plan", "--" + escape},
	} {
		g.raw(g.start(args...).wait())
	}
	g.plan("container/loud")
	for _, how := range []string{"plain", "json"} {
		r := g.run(3, "apply", "host.plan", "--yes", "--stable", "3s", "--progress", how, "--format", map[string]string{"plain": "text", "json": "json"}[how])
		g.says(r, "MKNOD")
		g.raw(r)
	}
	g.raw(g.start("history").wait())
	for _, config := range []string{
		`{"` + escape + `": 1, "` + escape + `": 2}`, "{\"\\u001b[2J\": \"" + `\u009b31m` + "\"}", escape,
	} {
		g.host.WriteDaemonJSON(t, config)
		for _, args := range [][]string{{"plan", "-p", "baseline"}, {"plan", "--format", "json"}, {"apply", "-p", "baseline", "--yes", "--skip", "container/loud"}} {
			g.raw(g.start(args...).wait())
		}
	}
	g.host.WriteDaemonJSON(t, "{}\n")
	if got := g.read(host.DaemonJSON); got != "{}\n" {
		t.Errorf("daemon.json is %q", got)
	}
}
