package container

import (
	"errors"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// TestOwnedElsewhereIsRefused: whatever a plan says, containers that another tool makes again are
// left alone, by both handlers.
func TestOwnedElsewhereIsRefused(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "64", Case: "container of Swarm, Kubernetes, Nomad, ECS, kind, buildx",
		Apply: "refused with the owner's name, nothing is touched",
	})
	h := Here(t)
	image := h.Image(t, "busybox")
	for name, test := range map[string]struct{ label, want string }{
		"swarm":     {"com.docker.swarm.service.name=web\x1b[2J", "belongs to swarm (web?[2J)"},
		"pod":       {"io.kubernetes.pod.name=web", "belongs to kubernetes (web)"},
		"k8s_a_b_c": {"x=y", "belongs to kubernetes (c/b)"},
		"nomad":     {"com.hashicorp.nomad.alloc_id=7", "belongs to nomad (7)"},
		"ecs":       {"com.amazonaws.ecs.task-arn=arn:x", "belongs to ecs (arn:x)"},
		"node":      {"io.x-k8s.kind.cluster=dev", "belongs to kind (dev)"},

		"buildx_buildkit_builder0": {"x=y", "belongs to buildx (builder)"},
	} {
		t.Run(name, func(t *testing.T) {
			h.Docker(t, "run", "-d", "--name", name, "-l", test.label, image)
			defer h.Docker(t, "rm", "-f", name)
			all := list(t, h)
			limit := stepFor(t, h, name, plan.Change{Path: "HostConfig.PidsLimit", From: []byte("null"), To: []byte("99"), Kind: plan.KindUpdate})
			_, recreate := recreator(t, h).Prepare(t.Context(), hardening(t, h, name))
			_, update := (&Updater{Engine: h.Client(t), Options: fast()}).Prepare(t.Context(), limit)
			for _, err := range []error{recreate, update} {
				if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want a refusal that says %q", err, test.want)
				}
			}
			if got := list(t, h); got != all {
				t.Errorf("something changed:\n%s\nbefore:\n%s", got, all)
			}
		})
	}
}

// TestUnitIsRefused runs a container as a systemd unit and tries to replace it.
func TestUnitIsRefused(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "41", Case: "systemd unit with docker run",
		Apply: "refused with the unit's name, nothing is touched",
	})
	h := host.Start(t, host.Systemd())
	image := h.Image(t, "busybox")
	unit := "[Service]\nExecStart=/usr/bin/docker run --name web -e PASSWORD=hunter2 " + image + "\n"
	h.Exec(t, "sh", "-c", "printf '%s' '"+unit+"' >/etc/systemd/system/web.service; systemctl daemon-reload && systemctl start web.service")
	eventually(t, "the unit's container runs", func() bool {
		c := look(t, h, "web")
		return c != nil && c.State.Running
	})
	was := list(t, h)
	r := &Recreator{Engine: h.Client(t), Options: fast()}
	r.Options.Root = strings.TrimSuffix(h.Path("/"), "/")
	_, err := r.Prepare(t.Context(), hardening(t, h, "web"))
	if !errors.Is(err, remediate.ErrRefused) || !strings.Contains(err.Error(), "started by systemd unit web.service") {
		t.Errorf("Prepare: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the refusal tells a secret: %v", err)
	}
	if got := list(t, h); got != was {
		t.Errorf("something changed:\n%s\nbefore:\n%s", got, was)
	}
	h.Exec(t, "systemctl", "stop", "web.service")
}
