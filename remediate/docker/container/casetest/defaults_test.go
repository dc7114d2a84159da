package casetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/remediate"
)

// planned is the step a plan of the host has for a container; nil: none.
func planned(t *testing.T, h *host.Host, name string) *plan.Step {
	t.Helper()
	seen, err := inventory.Collect(t.Context(), h.Client(t), inventory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Load([]byte(strict), "cases.yaml", control.Catalog(controls.Controls()))
	if err != nil {
		t.Fatal(err)
	}
	all := control.Evaluate(seen, p, controls.Controls(), time.Now())
	made, err := plan.Build(plan.Input{Findings: all, Basis: seen.Basis, Host: seen.Identity, Made: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range made.Steps {
		if made.Steps[i].Resource.Name == name {
			return &made.Steps[i]
		}
	}
	return nil
}

func paths(s *plan.Step) []string {
	var out []string
	for _, c := range s.Changes {
		out = append(out, c.Path)
	}
	slices.Sort(out)
	return out
}

// defaults are settings of the engine that containers take when they are made or started.
const defaults = `{"live-restore": true, "log-opts": {"max-size": "5m", "max-file": "3"}, "init": true,
	"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 2000, "Soft": 1000}},
	"default-shm-size": "32m", "default-ipc-mode": "shareable", "default-cgroupns-mode": "private", "log-level": "warn"}`

// What a new container takes from the engine's defaults is carried over from the old one, or stands in
// the plan and comes out as the plan says.
func TestChangedDefaults(t *testing.T) {
	h := host.Here(t)
	image := h.Image(t, "busybox")
	run := func(name string, args ...string) {
		h.Docker(t, slices.Concat([]string{"run", "-d", "--name", name}, args, []string{image, "sh", "-c", asleep})...)
	}
	run("bare")
	run("own", "--log-opt", "max-size=9m", "--log-opt", "max-file=2", "--ulimit", "nofile=300:400", "--init", "--shm-size", "8m", "--ipc", "private")
	run("local", "--log-driver", "local")
	h.Docker(t, "create", "--name", "asleep", image, "sh", "-c", asleep)
	h.WriteDaemonJSON(t, defaults)
	h.Reload(t)
	h.Restart(t)
	security := []string{"HostConfig.CapDrop", "HostConfig.SecurityOpt"}
	logs := []string{"HostConfig.LogConfig.Config.max-file", "HostConfig.LogConfig.Config.max-size"}
	for _, c := range []struct {
		name, what string
		taken      []string
		shows      map[string]string // after apply
		inside     string
	}{
		{
			"bare", "log options, ulimits and init, set in daemon.json after the container was made", slices.Concat([]string{"HostConfig.Init"}, logs),
			map[string]string{
				"{{json .HostConfig.LogConfig}}": `{"Type":"json-file","Config":{"max-file":"3","max-size":"5m"}}`,
				"{{json .HostConfig.Ulimits}}":   `[{"Name":"nofile","Hard":2000,"Soft":1000}]`, "{{.HostConfig.ShmSize}}": "67108864",
			},
			"cat /proc/1/comm; ls -l /dev/shm | head -1; df /dev/shm | tail -1 | awk '{print $2}'",
		},
		{
			"own", "the same, on a container with values of its own", nil,
			map[string]string{"{{json .HostConfig.LogConfig.Config}}": `{"max-file":"2","max-size":"9m"}`},
			"grep files /proc/1/limits; cat /proc/1/comm", // not ulimit -n: runc sets the limits of an exec in a race
		},
		{
			"local", "the same, on a container with another log driver",
			[]string{"HostConfig.Init"},
			map[string]string{"{{json .HostConfig.LogConfig}}": `{"Type":"local","Config":{}}`},
			"cat /proc/1/comm",
		},
		{
			"asleep", "the same, on a container that was never started", logs,
			map[string]string{"{{json .HostConfig.Ulimits}}": `[{"Name":"nofile","Hard":2000,"Soft":1000}]`, "{{.State.Status}}": "created"},
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			record(t, row.Row{ID: "61", Case: c.what, Apply: "what it takes stands in the plan and is so; all else is carried over", Rollback: "as before"})
			s := &stage{T: t, h: h, name: c.name, was: inspect(t, h, c.name)}
			st := planned(t, h, c.name)
			if st == nil {
				t.Fatal("the plan does not recreate it")
			}
			want := append(slices.Clone(c.taken), security...)
			slices.Sort(want)
			if got := paths(st); !slices.Equal(got, want) {
				t.Errorf("the plan changes\n%v, want\n%v", got, want)
			}
			inside := ""
			if c.inside != "" {
				inside = s.sh(c.inside)
			}
			if c.name == "bare" {
				contains(t, strings.Join(st.Notes, "\n"), "the new container starts with 1000:2000, the engine's default since")
			}
			r := recreator(t, h)
			rec := done(t, r, *st)
			allowed := []string{"HostConfig.LogConfig"}
			if found := differ(s.was, inspect(t, h, c.name), append(allowed, want...)...); len(found) > 0 {
				t.Errorf("after apply: %v", found)
			}
			for template, value := range c.shows {
				s.want(template, value)
			}
			if c.inside != "" {
				if got := s.sh(c.inside); got != inside {
					t.Errorf("inside: %q, before %q", got, inside)
				}
			}
			if again := planned(t, h, c.name); again != nil {
				t.Errorf("planned again: %v", paths(again))
			}
			if out := undone(t, r, *st, rec); out.How != plan.Exact || len(others(out.Notes)) > 0 {
				t.Errorf("Undo: %+v", out)
			}
			if found := differ(s.was, inspect(t, h, c.name)); len(found) > 0 {
				t.Errorf("after rollback: %v", found)
			}
		})
	}
}

// The engine is given defaults after an apply: it adds them to what is brought back as well. That is
// named, and no reason to leave the hardened container in place.
func TestRollbackUnderNewDefaults(t *testing.T) {
	record(t, row.Row{ID: "61", Case: "defaults that the engine is given between apply and rollback", Rollback: "back; what the engine added is named"})
	h := host.Here(t)
	h.WriteDaemonJSON(t, `{"live-restore": true}`)
	h.Reload(t)
	for _, name := range []string{"kept", "pruned"} {
		h.Docker(t, "run", "-d", "--name", name, h.Image(t, "busybox"), "sh", "-c", asleep)
	}
	r := recreator(t, h)
	steps := map[string]plan.Step{"kept": step(t, h, "kept", hardened()...), "pruned": step(t, h, "pruned", hardened()...)}
	recs := map[string]remediate.Record{"kept": done(t, r, steps["kept"]), "pruned": done(t, r, steps["pruned"])}
	h.Docker(t, "rm", steps["pruned"].Resource.ID)
	h.WriteDaemonJSON(t, defaults)
	h.Restart(t)
	for name, want := range map[string]string{"kept": "it has ulimit nofile", "pruned": "it has log option max-file, log option max-size, ulimit nofile"} {
		out := undone(t, r, steps[name], recs[name])
		if out.How != plan.Functional || !strings.Contains(strings.Join(out.Notes, "\n"), want) {
			t.Errorf("Undo of %s: %+v, want %q", name, out, want)
		}
		if got := status(t, h, name, "NoNewPrivs"); got != "0" || strings.Contains(mine(t, h, name), ".dh-") {
			t.Errorf("after rollback of %s: NoNewPrivs %s\n%s", name, got, mine(t, h, name))
		}
	}
}

// A log option that may be a secret is not put into a plan.
func TestSecretDefaultIsBlocked(t *testing.T) {
	record(t, row.Row{ID: "61", Case: "a log option of the engine that may be a secret", Apply: "blocked in the plan, by name and not by value"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:5514", h.Image(t, "busybox"), "sh", "-c", asleep)
	h.WriteDaemonJSON(t, `{"live-restore": true, "log-driver": "syslog", "log-opts": {"syslog-tls-key": "/root/very-secret"}}`)
	h.Reload(t)
	h.Restart(t)
	blocked(t, h, "web", "syslog-tls-key")
	for _, f := range findings(t, h, strict) {
		if strings.Contains(f.Blocked, "very-secret") {
			t.Errorf("a value is shown: %s", f.Blocked)
		}
	}
}
