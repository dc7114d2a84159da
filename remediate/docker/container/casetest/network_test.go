package casetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
)

// networks are those the scenes of this file use.
func networks(s *stage) {
	s.docker("network", "create", "--subnet", "10.77.0.0/24", "front")
	s.docker("network", "create", "--subnet", "10.78.0.0/24", "back")
	s.docker("network", "create", "--ipv6", "--subnet", "10.79.0.0/24", "--subnet", "fd00:79::/64", "six")
}

const (
	address = "{{with index .NetworkSettings.Networks %q}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}"
	macs    = "{{range .NetworkSettings.Networks}}{{.MacAddress}} {{end}}"
	ports   = "{{json .NetworkSettings.Ports}}"
)

func addressOn(network string) string { return fmt.Sprintf(address, network) }

func TestNetworks(t *testing.T) {
	const kept = "same addresses"
	play(t, []scene{
		{
			Row:  row.Row{ID: "14", Case: "two networks with fixed addresses, API below 1.44", Apply: kept, Rollback: kept},
			name: "two", args: []string{"--network", "front", "--ip", "10.77.0.14"},
			ready: func(s *stage) { s.docker("network", "connect", "--ip", "10.78.0.14", "--alias", "api", "back", s.name) },
			shows: addressOn("front") + addressOn("back"), inside: "ip -o -4 addr show | sed 's/.*inet //;s/ .*//' | sort",
			after: func(s *stage) { s.want(addressOn("front")+addressOn("back"), "10.77.0.14 10.78.0.14") },
		},
		{
			Row:  row.Row{ID: "16", Case: "fixed address on a network of one's own", Apply: kept, Rollback: kept},
			name: "fixed", args: []string{"--network", "front", "--ip", "10.77.0.16"}, shows: addressOn("front"),
			after: func(s *stage) { s.want("{{.NetworkSettings.Networks.front.IPAddress}}", "10.77.0.16") },
		},
		{
			Row:  row.Row{ID: "17", Case: "fixed IPv6 address", Apply: kept, Rollback: kept},
			name: "six", args: []string{"--network", "six", "--ip", "10.79.0.17", "--ip6", "fd00:79::17"}, shows: addressOn("six"),
			after: func(s *stage) { s.want(addressOn("six"), "10.79.0.17 fd00:79::17") },
		},
		{
			Row:  row.Row{ID: "18", Case: "macvlan with a fixed address (this kernel has none: created, not started)", Apply: "same settings, asked for once", Rollback: "same settings"},
			name: "macvlan", made: true, args: []string{"--network", "vlan", "--ip", "10.98.0.18"},
			given: func(s *stage) {
				s.h.Exec(s.T, "ip", "link", "add", "parent0", "type", "bridge")
				s.Cleanup(func() { _ = s.h.Command(context.WithoutCancel(s.Context()), "ip", "link", "del", "parent0").Run() })
				s.docker("network", "create", "-d", "macvlan", "--subnet", "10.98.0.0/24", "-o", "parent=parent0", "vlan")
			},
			shows: "{{json .NetworkSettings.Networks.vlan.IPAMConfig}} {{len .NetworkSettings.Networks}}",
			after: func(s *stage) {
				s.want("{{json .NetworkSettings.Networks.vlan.IPAMConfig}} {{len .NetworkSettings.Networks}}", `{"IPv4Address":"10.98.0.18"} 1`)
			},
		},
		{
			Row:  row.Row{ID: "20", Case: "default bridge, no aliases", Apply: "starts, none added", Rollback: "starts"},
			name: "bridged", shows: "{{json .NetworkSettings.Networks.bridge.Aliases}}",
		},
		{
			Row:  row.Row{ID: "21", Case: "the host's network", Apply: "runs, host name not pinned", Rollback: "runs"},
			name: "hostnet", args: []string{"--network", "host"}, inside: "hostname; ip -o link | grep -c ': docker0:'",
			after: func(s *stage) { pinned(s, "") },
		},
		{
			Row:  row.Row{ID: "22", Case: "MAC address asked for, API below 1.44", Apply: "same", Rollback: "same"},
			name: "mac", shows: macs, inside: "cat /sys/class/net/eth0/address",
			own: `{"MacAddress":"02:42:0a:4d:00:99","HostConfig":{"NetworkMode":"front"}}`, after: func(s *stage) { s.want("{{.Config.MacAddress}}", "02:42:0a:4d:00:99") },
		},
		{
			Row:  row.Row{ID: "24", Case: "MAC address of the engine's choice", Apply: "not asked for in the new container", Rollback: "as before"},
			name: "automac", args: []string{"--network", "back"},
			after: func(s *stage) { s.want("{{.Config.MacAddress}}", "") },
		},
		{
			Row:  row.Row{ID: "30", Case: "the host's UTS namespace", Apply: "runs", Rollback: "runs"},
			name: "uts", args: []string{"--uts", "host"}, inside: "hostname",
		},
		{
			Row:  row.Row{ID: "31", Case: "host name of the engine's choice", Apply: "the new container's id", Rollback: "the old one's id"},
			name: "nohostname", after: func(s *stage) { pinned(s, inspect(s.T, s.h, s.name).id()[:12]) },
			back: func(s *stage) { pinned(s, s.was.id()[:12]) },
		},
		{
			Row:  row.Row{ID: "31", Case: "host name that was given", Apply: "same", Rollback: "same"},
			name: "hostname", args: []string{"--hostname", "given", "--domainname", "example.org"}, inside: "hostname; hostname -f",
		},
		{
			Row:  row.Row{ID: "33", Case: "port published on 127.0.0.1", Apply: "same port, answers", Rollback: "same port, answers"},
			name: "port", args: []string{"-p", "127.0.0.1:8133:80", "-p", "8134:81/udp"}, shows: ports,
			cmd:   []string{"sh", "-c", "mkdir -p /tmp/www; httpd -p 80 -h /tmp/www; " + asleep},
			ready: func(s *stage) { answers(s, "127.0.0.1:8133") },
			after: func(s *stage) { answers(s, "127.0.0.1:8133") }, back: func(s *stage) { answers(s, "127.0.0.1:8133") },
		},
		{
			Row:  row.Row{ID: "34", Case: "port of the engine's choice", Apply: "runs with a port; the plan said that it changes", Rollback: "runs with a port"},
			name: "anyport", args: []string{"-p", "80"}, moves: []string{"NetworkSettings.Ports"},
			ready: func(s *stage) { says(s, "published on a host port that the engine picks") },
			after: publishes, back: publishes,
		},
		{
			Row:  row.Row{ID: "34", Case: "range of ports", Apply: "runs with a port of the range; the plan said that it may change", Rollback: "runs with a port of the range"},
			name: "rangeport", args: []string{"-p", "18100-18102:80"}, moves: []string{"NetworkSettings.Ports"},
			ready: func(s *stage) { says(s, "18100-18102") },
			after: publishes, back: publishes,
		},
	}, networks)
}

func pinned(s *stage, hostname string) {
	s.Helper()
	if got := s.show("{{.Config.Hostname}}"); hostname != "" && got != hostname {
		s.Errorf("host name %q, want %q", got, hostname)
	}
	create, err := createOf(s)
	if err != nil {
		s.Fatal(err)
	}
	if create["Hostname"] != "" {
		s.Errorf("the host name %v was asked for", create["Hostname"])
	}
}

// createOf is the create request that the journal holds for the new container.
func createOf(s *stage) (map[string]any, error) {
	var undo struct {
		New struct{ Create map[string]any } `json:"new"`
	}
	err := json.Unmarshal(s.rec.Undo, &undo)
	return undo.New.Create, err
}

// answers waits until something listens on an address of the host.
func answers(s *stage, address string) {
	s.Helper()
	eventually(s.T, address+" answers", func() bool {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		n, readErr := conn.Read(make([]byte, 1))
		return err == nil && n == 1 && readErr == nil
	})
}

func publishes(s *stage) {
	s.Helper()
	if got := s.docker("port", s.name, "80"); !strings.Contains(got, ":") {
		s.Errorf("it publishes %q", got)
	}
}

// Aliases are those a person gave, also after the third recreate.
func TestAliasesDoNotGrow(t *testing.T) {
	record(t, row.Row{ID: "19", Case: "aliases over three recreates", Apply: "the given ones and no id of an old container", Rollback: "as before"})
	h := host.Here(t)
	h.Docker(t, "network", "create", "front")
	h.Docker(t, "run", "-d", "--name", "web", "--network", "front", "--network-alias", "www", "--network-alias", "shop", h.Image(t, "busybox"))
	r := recreator(t, h)
	given := func() []string {
		p := inspect(t, h, "web")
		var list []string
		for _, a := range p.of("NetworkSettings.Networks.front.Aliases").([]any) {
			if a != p.id()[:12] {
				list = append(list, a.(string))
			}
		}
		slices.Sort(list)
		return list
	}
	from := "null"
	for _, drop := range []string{`["CAP_MKNOD"]`, `["CAP_NET_RAW"]`, `["CAP_CHOWN"]`} {
		s := step(t, h, "web", change("CapDrop", from, drop))
		from = drop
		was := inspect(t, h, "web")
		rec := done(t, r, s)
		undone(t, r, s, rec)
		if found := differ(was, inspect(t, h, "web")); len(found) > 0 {
			t.Errorf("after rollback: %v", found)
		}
		rec = done(t, r, s)
		if err := r.Commit(t.Context(), s, rec); err != nil {
			t.Fatal(err)
		}
		if got := given(); !slices.Equal(got, []string{"shop", "www"}) {
			t.Errorf("aliases %v", got)
		}
	}
	h.Docker(t, "run", "--rm", "--network", "front", h.Image(t, "busybox"), "sh", "-c", "nslookup www && nslookup shop")
}

// A container may name its network by the network's id; the engine then lists it by name.
func TestNetworkByID(t *testing.T) {
	record(t, row.Row{ID: "25", Case: "network named by its id", Apply: "one endpoint, the same", Rollback: "one endpoint, the same"})
	h := host.Here(t)
	id := h.Docker(t, "network", "create", "--subnet", "10.77.0.0/24", "front")
	engine := socket(t)
	engine.post(t, "/v1.41/containers/create?name=web", fmt.Sprintf(`{"Image":%q,"HostConfig":{"NetworkMode":%q},"NetworkingConfig":{"EndpointsConfig":{%q:{"IPAMConfig":{"IPv4Address":"10.77.0.25"}}}}}`,
		h.Image(t, "busybox"), id, id))
	h.Docker(t, "start", "web")
	was := inspect(t, h, "web")
	r, s := recreator(t, h), step(t, h, "web", hardened()...)
	rec := done(t, r, s)
	now := inspect(t, h, "web")
	ends, _ := now.of("NetworkSettings.Networks").(map[string]any)
	if len(ends) != 1 || now.of("NetworkSettings.Networks.front.IPAddress") != "10.77.0.25" {
		t.Errorf("networks after apply: %v", ends)
	}
	undone(t, r, s, rec)
	if found := differ(was, inspect(t, h, "web")); len(found) > 0 {
		t.Errorf("after rollback: %v", found)
	}
}

// api is the engine's socket, for what the docker command line cannot ask.
type api struct{ client *http.Client }

func socket(t *testing.T) api {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/run/docker.sock")
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return api{&http.Client{Transport: transport}}
}

func (a api) post(t *testing.T, path, body string) {
	t.Helper()
	resp, err := a.client.Post("http://docker"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		t.Fatalf("POST %s: %s", path, resp.Status)
	}
}
