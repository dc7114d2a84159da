package systemdtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/host"
)

// atRest insists that systemd does not go on trying.
func (m *machine) atRest() {
	m.Helper()
	for range 10 {
		if got := m.run("systemctl", "show", "-p", "SubState", "--value", "docker.service"); strings.Contains(got, "start") {
			m.Fatalf("after a failed start the unit is in state %s", got)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// storm has clients connect to the engine's socket until the test ends. Whichever engine they wake must be
// the planned one.
func (m *machine) storm() {
	m.Helper()
	starts := func() int {
		// The test's own context may be over.
		_ = exec.Command("journalctl", "--sync").Run()
		out, err := exec.Command("journalctl", "-u", "docker.service", "-o", "cat", "--no-pager").CombinedOutput()
		if err != nil {
			m.Errorf("cannot read the journal: %v: %s", err, out)
		}
		return strings.Count(string(out), "Starting up")
	}
	before := starts()
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "docker", "ps").Run()
			}
		})
	}
	m.Cleanup(func() {
		stop()
		clients.Wait()
		if got := starts() - before; got != 2 {
			m.Errorf("the engine was started %d times by one apply and one rollback", got)
		}
	})
}

// write makes a file, and its directory, for one test.
func (m *machine) write(path, text string) {
	m.Helper()
	must(m.T, os.MkdirAll(filepath.Dir(path), 0o755))
	must(m.T, os.WriteFile(path, []byte(text), 0o644))
}

const (
	options = "/etc/default/docker"
	dropIn  = "/etc/systemd/system/docker.service.d/10-test.conf"
	// harmless changes nothing of how the engine is started.
	harmless = "[Service]\nEnvironment=NOTHING=1\n"
)

// refusals are steps that must not be begun because of how the engine is started.
func refusals(t *testing.T, c *client.Client) {
	plain, level, icc := []plan.Change{set("live-restore", "true")}, []plan.Change{set("log-level", `"info"`)}, []plan.Change{set("icc", "false")}
	tests := []struct {
		id, name, options, dropIn string
		restart                   bool // the engine has read them
		kind                      plan.Kind
		changes                   []plan.Change
		want                      string
		or                        string // what newer versions of systemd have to say
	}{
		{"30", "the same value by flag and in the file", `DOCKER_OPTS="--log-level=info"`, "", true, plan.KindRestart, level, "log-level is given to the engine by flag (info)", ""},
		{"31", "a flag only in the environment file, of the step's own key", `DOCKER_OPTS="--log-level=warn"`, "", false, plan.KindRestart, level, "log-level is given to the engine by flag (warn)", ""},
		{"31", "a flag only in the environment file, of another key", `DOCKER_OPTS="--log-level=warn"`, "", false, plan.KindRestart, icc, "command line was changed after it started (log-level)", ""},
		{"32", "a new drop-in that systemd has not read, and does not say so", "", "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --debug\n", false, plan.KindRestart, icc, "command line was changed after it started (containerd, debug)", "systemctl daemon-reload"},
		{"32", "an edited drop-in that systemd has not read", "", harmless, false, plan.KindRestart, icc, "systemctl daemon-reload", ""},
		{"33", "hosts in the file and -H fd:// in the unit", "", "", false, plan.KindRestart, []plan.Change{set("hosts", `["unix:///run/docker.sock"]`)}, "hosts is given to the engine by flag (fd://)", ""},
		{"56", "a flag that a reload resets, in force", `DOCKER_OPTS="--max-concurrent-downloads=7"`, "", true, plan.KindReload, plain, "max-concurrent-downloads by flag", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row.Record(t, row.Row{Table: row.Daemon, ID: tt.id, Case: tt.name + " (systemd)", Apply: "refused, nothing changed"})
			m := &machine{T: t, client: c}
			m.Cleanup(func() { m.tidy(tt.dropIn != "", tt.restart) })
			if tt.options != "" {
				m.write(options, tt.options+"\n")
			}
			if tt.dropIn != "" {
				m.write(dropIn, tt.dropIn)
			}
			if tt.dropIn == harmless {
				m.run("systemctl", "daemon-reload")
				m.run("touch", "-d", "1 minute", dropIn)
			}
			if tt.restart {
				m.restart()
			}
			before, pid := m.state(), m.run("systemctl", "show", "-p", "MainPID", "--value", "docker.service")
			_, err := m.handler().Prepare(t.Context(), plan.Step{ID: "daemon", Kind: tt.kind, Resource: plan.Daemon(), Changes: tt.changes})
			said := err != nil && (strings.Contains(err.Error(), tt.want) || tt.or != "" && strings.Contains(err.Error(), tt.or))
			if !errors.Is(err, remediate.ErrRefused) || !said {
				t.Errorf("Prepare = %v, want a refusal with %q", err, tt.want)
			}
			if after := m.state(); after != before || pid != m.run("systemctl", "show", "-p", "MainPID", "--value", "docker.service") {
				t.Errorf("something changed:\n%s\nand before\n%s", after, before)
			}
		})
	}
}

func (m *machine) restart() {
	m.Helper()
	m.run("systemctl", "reset-failed", "docker.service", "docker.socket")
	m.run("systemctl", "restart", "docker.service")
	m.run("docker", "start", "web")
}

// tidy takes back what a test told systemd.
func (m *machine) tidy(units, restart bool) {
	m.Helper()
	for _, path := range []string{options, dropIn} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			m.Error(err)
		}
	}
	// The test's own context is over.
	for _, args := range [][]string{{"daemon-reload"}, {"reset-failed", "docker.service", "docker.socket"}, {"restart", "docker.service"}} {
		if args[0] == "daemon-reload" && !units || args[0] == "restart" && !restart {
			continue
		}
		if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
			m.Errorf("systemctl %q: %v: %s", args, err, out)
		}
	}
	if restart {
		if out, err := exec.Command("docker", "start", "web").CombinedOutput(); err != nil {
			m.Errorf("docker start web: %v: %s", err, out)
		}
	}
}

// earlySignal asks for a reload while the engine is starting, which would end it.
func earlySignal(m *machine) {
	row.Record(m.T, row.Row{Table: row.Daemon, ID: "54", Case: "a reload while the engine is starting (systemd)", Apply: "refused, no signal is sent: the engine comes up"})
	service, err := host.Describe(m.observe().Daemon, "")
	must(m.T, err)
	manager, err := host.Open(service)
	must(m.T, err)
	m.run("systemctl", "stop", "docker.service")
	m.run("systemctl", "reset-failed", "docker.service", "docker.socket")
	m.run("systemctl", "start", "--no-block", "docker.service")
	refused := 0
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		status, err := manager.Status(m.Context())
		must(m.T, err)
		if status.Active || time.Now().After(end) {
			break
		}
		if err := manager.Reload(m.Context()); errors.Is(err, host.ErrNotRunning) {
			refused++
		} else if now, serr := manager.Status(m.Context()); serr != nil || !now.Active {
			m.Fatalf("Reload = %v while the unit is %+v", err, now)
		}
	}
	if got := m.run("systemctl", "show", "-p", "NRestarts", "--value", "docker.service"); got != "0" || refused == 0 {
		m.Errorf("%d reloads were refused, the engine was restarted %s times", refused, got)
	}
	m.run("docker", "start", "web")
}
