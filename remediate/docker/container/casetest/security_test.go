package casetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// filter is a seccomp profile with characters that JSON can write in several ways.
const filter = `{"defaultAction":"SCMP_ACT_ALLOW", "comment":"<&> \u00e9 é", "syscalls":[{"names":["swapon"],"action":"SCMP_ACT_ERRNO"}]}`

func optionList(t *testing.T, opts ...string) string {
	t.Helper()
	raw, err := json.Marshal(opts)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestSecurityOptions(t *testing.T) {
	const nnp = "no-new-privileges"
	drop := []plan.Change{change("CapDrop", "null", `["CAP_MKNOD"]`)}
	fixed := func(from ...string) []plan.Change {
		return []plan.Change{change("SecurityOpt", optionList(t, from...), optionList(t, nnp+":true"))}
	}
	filtered := []string{"seccomp=" + filter}
	play(t, []scene{
		answered(), offHost(),
		{
			Row:  row.Row{ID: "52", Case: "privileged is taken away (created, not started: this kernel cannot run it)", Apply: "no label=disable, paths masked by default", Rollback: "privileged as before"},
			name: "privileged", made: true, args: []string{"--privileged"},
			changes: []plan.Change{change("Privileged", "true", "false")}, other: []string{"HostConfig.SecurityOpt", "HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths"},
			after: func(s *stage) {
				s.want("{{.HostConfig.Privileged}} {{len .HostConfig.SecurityOpt}}", "false 0")
				s.want("{{gt (len .HostConfig.MaskedPaths) 0}} {{gt (len .HostConfig.ReadonlyPaths) 0}}", "true true")
			},
		},
		{
			Row:  row.Row{ID: "53", Case: "no masked paths (systempaths=unconfined)", Apply: "still none, as an empty list", Rollback: "as before"},
			name: "unmasked", args: []string{"--security-opt", "systempaths=unconfined"}, changes: drop,
			shows: "{{json .HostConfig.MaskedPaths}} {{json .HostConfig.ReadonlyPaths}}", inside: "grep -c ' /proc/kcore ' /proc/mounts || true",
			after: func(s *stage) { s.want("{{json .HostConfig.MaskedPaths}}", "[]") },
		},
		{
			Row:  row.Row{ID: "53", Case: "masked paths by default", Apply: "the same list", Rollback: "the same list"},
			name: "masked", changes: drop, shows: "{{json .HostConfig.MaskedPaths}} {{json .HostConfig.ReadonlyPaths}}",
		},
		{
			Row:  row.Row{ID: "54", Case: "no-new-privileges:false", Apply: "the kernel shows it on", Rollback: "off as before"},
			name: "off", args: []string{"--security-opt", nnp + ":false"}, changes: fixed(nnp + ":false"),
		},
		{
			Row:  row.Row{ID: "54", Case: "no-new-privileges on and off, the last one wins", Apply: "the kernel shows it on", Rollback: "off as before"},
			name: "both", args: []string{"--security-opt", nnp, "--security-opt", nnp + ":false"}, changes: fixed(nnp, nnp+":false"),
		},
		{
			Row:  row.Row{ID: "56", Case: "seccomp profile as text in the options", Apply: "the same bytes", Rollback: "the same bytes"},
			name: "filtered", own: `{"HostConfig":{"SecurityOpt":` + optionList(t, filtered...) + `}}`, changes: drop, shows: "{{json .HostConfig.SecurityOpt}}",
			after: func(s *stage) {
				if got := inspect(s.T, s.h, s.name).of("HostConfig.SecurityOpt").([]any); len(got) != 1 || got[0] != filtered[0] {
					s.Errorf("options %q", got)
				}
				if got := status(s.T, s.h, s.name, "Seccomp"); got != "2" {
					s.Errorf("the kernel says Seccomp %s", got)
				}
			},
		},
	})
}

// The engine's default reaches only containers made after it was set, whatever its file says later.
func TestDefaultIsNoProof(t *testing.T) {
	record(t, row.Row{
		ID: "55", Case: "no-new-privileges in daemon.json, container older", Apply: "reported as not covered until it is made again",
		Rollback: "the container is without it again; daemon.json back does not take it from one that was made under it, and that is seen",
	})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", h.Image(t, "busybox"))
	h.WriteDaemonJSON(t, `{"live-restore": true, "no-new-privileges": true}`)
	h.Reload(t)
	h.Restart(t)
	h.Docker(t, "run", "-d", "--name", "later", h.Image(t, "busybox"))
	verdict := func(name string) plan.Finding {
		t.Helper()
		all := findings(t, h, strict)
		i := slices.IndexFunc(all, func(f plan.Finding) bool {
			return f.Resource.Name == name && f.Control == "docker/no-new-privileges"
		})
		return all[i]
	}
	if f := verdict("web"); f.Status != plan.Fail || f.Message != "no-new-privileges is not set" {
		t.Errorf("before: %s: %s", f.Status, f.Message)
	}
	r, s := recreator(t, h), step(t, h, "web", hardened()...)
	rec := done(t, r, s)
	if f := verdict("web"); f.Status != plan.Pass || status(t, h, "web", "NoNewPrivs") != "1" {
		t.Errorf("after apply: %s: %s", f.Status, f.Message)
	}
	undone(t, r, s, rec)
	if got := status(t, h, "web", "NoNewPrivs"); got != "0" {
		t.Errorf("after rollback the kernel says NoNewPrivs %s", got)
	}
	h.WriteDaemonJSON(t, `{"live-restore": true}`)
	h.Restart(t)
	if got := status(t, h, "later", "NoNewPrivs"); got != "1" {
		t.Errorf("one that was made under the default lost it: NoNewPrivs %s", got)
	}
	if f := verdict("later"); f.Status != plan.Fail || !strings.Contains(f.Message, "in effect by the default of the engine when it was made") {
		t.Errorf("made under the default: %s: %s", f.Status, f.Message)
	}
}
