package casetest

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate/docker/container"
)

const publishing = `format: docker-harden/profile/v1
name: publishes
controls:
  docker/host-interface: {params: {address: 127.0.0.1}}
  docker/privileged-ports: {params: {move: ["880=18880"]}}
  docker/open-ports: {params: {needed: [8080/tcp, 8081/tcp], unpublished: [9090/tcp]}}
`

func portChange(inside, number, setting, from, to string) plan.Change {
	p := plan.Port{Inside: inside, PortBinding: plan.PortBinding{HostPort: number}}
	return plan.Change{Path: plan.PortPath(p, setting), From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// republished is a container whose published ports three answers change, two of them the same port. The host of the
// tests has a network of its own, so that all its addresses are nobody else's.
func republished() scene {
	c := scene{
		Row: row.Row{
			ID: "52", Case: "ports on all addresses, one below 1024, one that nobody needs: published on 127.0.0.1, as another port, and no more, as answered",
			Apply: "bound as asked by the engine's answer; answered on 127.0.0.1 and nowhere else; nothing left to change", Rollback: "answered on every address, on its old ports; equal inspect answer",
		},
		name: "republished",
		args: []string{"-p", "18090:8080", "-p", "880:8081", "-p", "18099:9090"},
		cmd:  []string{"sh", "-c", "mkdir -p /tmp/www; echo served > /tmp/www/index.html; for p in 8080 8081 9090; do httpd -p $p -h /tmp/www; done; " + asleep},
		changes: []plan.Change{
			portChange("8080/tcp", "18090", plan.PortAddress, `""`, `"127.0.0.1"`),
			portChange("8081/tcp", "880", plan.PortAddress, `""`, `"127.0.0.1"`), portChange("8081/tcp", "880", plan.PortNumber, `"880"`, `"18880"`),
			portChange("9090/tcp", "18099", plan.PortAddress, `""`, `"127.0.0.1"`), portChange("9090/tcp", "18099", plan.PortPublished, `true`, `false`),
		},
		other: []string{plan.PortsPath, "NetworkSettings.Ports"},
	}
	open := func(s *stage) {
		s.reached("127.0.0.1:18090", "127.0.0.1:880", "127.0.0.1:18099", s.bridge()+":18090", s.bridge()+":880", s.bridge()+":18099")
	}
	c.ready = func(s *stage) {
		open(s)
		got, want := map[string]string{}, map[string]string{}
		for _, f := range about(findings(s.T, s.h, publishing), s.name) {
			for _, ch := range f.Changes {
				got[ch.Path] = string(ch.From) + " -> " + string(ch.To)
			}
		}
		for _, ch := range c.changes {
			want[ch.Path] = string(ch.From) + " -> " + string(ch.To)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("a plan with the answers (-want +got):\n%s", diff)
		}
	}
	c.after = func(s *stage) {
		s.want(`{{json .NetworkSettings.Ports}}`, `{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"18090"}],"8081/tcp":[{"HostIp":"127.0.0.1","HostPort":"18880"}],"9090/tcp":null}`)
		s.reached("127.0.0.1:18090", "127.0.0.1:18880")
		for _, at := range []string{s.bridge() + ":18090", s.bridge() + ":18880", "127.0.0.1:880", s.bridge() + ":880", "127.0.0.1:18099", s.bridge() + ":18099"} {
			if got := page("http://" + at + "/index.html"); !strings.Contains(got, "connection refused") {
				s.Errorf("at %s there is still: %q", at, got)
			}
		}
		if left := about(findings(s.T, s.h, publishing), s.name); len(left) > 0 {
			s.Errorf("a plan again would change %+v", left)
		}
	}
	c.back = open
	return c
}

// reached waits for its page on places of this host.
func (s *stage) reached(places ...string) {
	s.Helper()
	for _, at := range places {
		eventually(s.T, "it serves on "+at, func() bool { return strings.HasPrefix(page("http://"+at+"/index.html"), "served") })
	}
}

// bridge is another address of this host than 127.0.0.1.
func (s *stage) bridge() string {
	s.Helper()
	card, err := net.InterfaceByName("docker0")
	if err != nil {
		s.Fatal(err)
	}
	addrs, err := card.Addrs()
	if err != nil {
		s.Fatal(err)
	}
	for _, addr := range addrs {
		if ip, _, err := net.ParseCIDR(addr.String()); err == nil && ip.To4() != nil {
			return ip.String()
		}
	}
	s.Fatalf("docker0 has no address: %v", addrs)
	return ""
}

func TestPorts(t *testing.T) { play(t, []scene{republished()}) }

// A place that is taken is said by the plan, and refused by the step before anything is touched.
func TestPortThatIsTaken(t *testing.T) {
	record(t, row.Row{ID: "52", Case: "published as a port of the host that something else has", Apply: "blocked, refused before anything is touched"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "other", "-p", "127.0.0.1:18778:80", h.Image(t, "busybox"), "sh", "-c", asleep)
	h.Docker(t, "run", "-d", "--name", "web", "-p", "881:80", h.Image(t, "busybox"), "sh", "-c", asleep)
	answer := func(to string) []plan.Finding {
		t.Helper()
		const text = "format: docker-harden/profile/v1\nname: moves\ncontrols:\n  docker/privileged-ports: {params: {move: [\"881=PORT\"]}}\n"
		return about(findings(t, h, strings.Replace(text, "PORT", to, 1)), "web")
	}
	to := func(port string) plan.Step {
		t.Helper()
		return step(t, h, "web", portChange("80/tcp", "881", plan.PortNumber, `"881"`, `"`+port+`"`))
	}
	taken := func(port, who string) {
		t.Helper()
		if list := answer(port); len(list) != 1 || !strings.Contains(list[0].Blocked, port+" of the host is taken by "+who) {
			t.Errorf("%s: the plan says %+v", port, list)
		}
		refused(t, h, recreator(t, h), to(port), "which something else of the host has")
	}
	taken("18778", "container other")
	for _, network := range []string{"tcp4", "tcp6"} {
		l, err := net.Listen(network, ":18777")
		if err != nil {
			t.Fatal(err)
		}
		taken("18777", "something that waits there")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if list := answer("18777"); len(list) != 1 || list[0].Blocked != "" || len(list[0].Changes) != 1 {
		t.Errorf("free again: %+v", list)
	}
}

// An address that the host does not have keeps the new container from starting: the old one comes back.
func TestAddressThatIsGone(t *testing.T) {
	record(t, row.Row{ID: "52", Case: "published on an address that the host lost after the plan", Apply: "fails with the engine's words", Rollback: "the old container, running"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-p", "18779:80", h.Image(t, "busybox"), "sh", "-c", asleep)
	was, all := inspect(t, h, "web"), mine(t, h, "web")
	r, s := recreator(t, h), step(t, h, "web", portChange("80/tcp", "18779", plan.PortAddress, `""`, `"192.0.2.1"`))
	rec, err := attempt(t, r, s)
	var gate *container.GateError
	if !errors.As(err, &gate) {
		t.Fatalf("Do: %v, want a GateError", err)
	}
	contains(t, gate.What, "cannot assign requested address")
	undone(t, r, s, rec)
	if found := differ(was, inspect(t, h, "web")); len(found) > 0 || mine(t, h, "web") != all {
		t.Errorf("after rollback: %v\n%s", found, mine(t, h, "web"))
	}
}

// While the new container is in place, its old port of the host is free for anybody: a rollback says so before it stops
// what serves, and works when it is free again.
func TestPortTakenBeforeRollback(t *testing.T) {
	record(t, row.Row{ID: "52", Case: "the old port of the host was taken before the rollback", Rollback: "refused, the new container serves on; with the port free again, the old one as it was"})
	h := host.Here(t)
	h.Docker(t, "run", "-d", "--name", "web", "-p", "882:80", h.Image(t, "busybox"), "sh", "-c", asleep)
	was := inspect(t, h, "web")
	r, s := recreator(t, h), step(t, h, "web", portChange("80/tcp", "882", plan.PortNumber, `"882"`, `"18780"`))
	rec := done(t, r, s)
	l, err := net.Listen("tcp", ":882")
	if err != nil {
		t.Fatal(err)
	}
	now := inspect(t, h, "web")
	_, err = r.Undo(t.Context(), s, rec)
	if err == nil || !strings.Contains(err.Error(), "882") {
		t.Errorf("Undo: %v", err)
	}
	if is := inspect(t, h, "web"); is.id() != now.id() || is.started() != now.started() {
		t.Errorf("a refused rollback touched the container: %s, %s", is.status(), mine(t, h, "web"))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	undone(t, r, s, rec)
	if found := differ(was, inspect(t, h, "web")); len(found) > 0 {
		t.Errorf("after rollback: %v", found)
	}
}
