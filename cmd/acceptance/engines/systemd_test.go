//go:build engines

package engines

import (
	"errors"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate/docker/daemon"
)

const oddDaemonJSON = "{\n  \"log-level\": \"warn\",\n\t\"log-opts\": {\"max-size\": \"10m\"  }\n}\n"

// spent uses up the starts that systemd allows within a minute: one more without a reset would be refused.
func (o *operator) spent() {
	o.Helper()
	const show = "systemctl show -P Result docker.service"
	for range 10 {
		if out, err := o.h.Command(o.Context(), "systemctl", "restart", "docker").CombinedOutput(); err != nil {
			if got := o.h.Exec(o.T, "sh", "-c", show); got != "start-limit-hit" {
				o.Fatalf("%s: %s", got, out)
			}
			break
		}
	}
	o.h.Exec(o.T, "systemctl", "reset-failed", "docker.service", "docker.socket")
	o.h.Exec(o.T, "systemctl", "start", "docker.service")
	for range 2 {
		o.h.Exec(o.T, "systemctl", "restart", "docker.service")
	}
}

// The restart keeps containers running, although systemd would refuse one start more.
func TestEngineDaemonRestart(t *testing.T) {
	r := row.Row{Table: row.Engine, ID: "restart", Case: "systemd, live-restore off, the start limit reached", Apply: "restarted, the container kept its process", Rollback: "equal"}
	booted(t, r, func(o *operator) {
		o.h.WriteDaemonJSON(o.T, oddDaemonJSON)
		o.spent()
		o.busybox("web")
		pid := o.docker("inspect", "-f", "{{.State.Pid}}", "web")
		o.thereAndBack(func(*plan.Plan) {
			if got := o.docker("inspect", "-f", "{{.State.Pid}}", "web"); got != pid {
				o.Errorf("the container's process is %s, was %s", got, pid)
			}
			if got := o.docker("info", "-f", "{{.LiveRestoreEnabled}} {{.SecurityOptions}}"); !strings.HasPrefix(got, "true ") || !strings.Contains(got, "no-new-privileges") {
				o.Errorf("the engine says %s", got)
			}
			o.harden(0, "verify")
			if again := o.harden(0, "plan", "daemon"); !strings.Contains(again, "No changes") {
				o.Error("a plan after the apply still changes something")
			}
		}, "daemon")
		if got := o.h.Exec(o.T, "systemctl", "is-active", "docker.service", "docker.socket"); got != "active\nactive" {
			o.Errorf("the units are %s", got)
		}
	})
}

// A single setting that the engine reloads: no restart, and the reload is undone.
func TestEngineDaemonReload(t *testing.T) {
	r := row.Row{Table: row.Engine, ID: "reload", Case: "systemd, live-restore alone", Apply: "reloaded, same engine process", Rollback: "equal"}
	booted(t, r, func(o *operator) {
		o.h.WriteDaemonJSON(o.T, oddDaemonJSON)
		o.h.Restart(o.T)
		engine := o.h.PID(o.T)
		o.thereAndBack(func(*plan.Plan) {
			if got := o.docker("info", "-f", "{{.LiveRestoreEnabled}}"); got != "true" || o.h.PID(o.T) != engine {
				o.Errorf("live-restore %s, engine process %d, was %d", got, o.h.PID(o.T), engine)
			}
		}, "--only", "docker/live-restore")
		if o.h.PID(o.T) != engine {
			o.Error("the undo restarted the engine")
		}
	})
}

// nextStart gives the unit a flag that the engine would not start with.
const nextStart = `mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock --dns no-address\n' \
	>/etc/systemd/system/docker.service.d/dns.conf
systemctl daemon-reload`

// What the next start would be was edited after the plan: the plan is stale, and nothing is touched.
func TestEngineDaemonStale(t *testing.T) {
	r := row.Row{Table: row.Engine, ID: "flags", Case: "systemd, the unit's flags edited between plan and apply", Apply: "refused as stale, nothing touched"}
	booted(t, r, func(o *operator) {
		o.harden(0, "plan", "daemon", "-o", o.file("old.plan"))
		o.h.Exec(o.T, "sh", "-c", nextStart)
		const show = "cat " + host.DaemonJSON + " 2>&1; true"
		engine, file := o.h.PID(o.T), o.h.Exec(o.T, "sh", "-c", show)
		o.harden(5, "apply", o.file("old.plan"), "--yes")
		if got := o.h.Exec(o.T, "sh", "-c", show); got != file || o.h.PID(o.T) != engine {
			o.Errorf("daemon.json was %s, is %s; engine process %d, was %d", file, got, o.h.PID(o.T), engine)
		}
	})
}

// The engine's own --validate judges a file and the flags of the next start; nothing is started for that.
func TestEngineValidates(t *testing.T) {
	r := row.Row{Table: row.Engine, ID: "validate", Case: "files and flags that the engine's own --validate refuses", Apply: "refused in the engine's words"}
	here(t, r, func(o *operator) {
		const exe = "/usr/sbin/dockerd"
		if out, err := o.h.Command(o.Context(), exe, "--validate", "--config-file", host.DaemonJSON).CombinedOutput(); err != nil {
			o.Fatalf("this engine has no --validate: %v: %s", err, out)
		}
		for _, tt := range []struct{ doc, flag, want string }{
			{`{"live-restore": true, "log-level": "info", "icc": false}`, "--debug", ""},
			{`{"no-such-key": 1}`, "--debug", "no-such-key"},
			{`{"debug": "yes"}`, "--live-restore", "bool"},
			{`{"log-level": "info"}`, "--log-level=warn", "log-level"},
			{`{}`, "--dns=no-address", "no-address"},
		} {
			err := daemon.Validate(o.Context(), exe, []string{exe, tt.flag}, []byte(tt.doc))
			var rejected *daemon.RejectedError
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &rejected) || !strings.Contains(err.Error(), tt.want)) {
				o.Errorf("Validate(%s, %s) = %v, want %q", tt.doc, tt.flag, err, tt.want)
			}
		}
	})
}
