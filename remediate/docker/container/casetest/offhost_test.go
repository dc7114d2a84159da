package casetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
)

// offHost is a container on the host's network that gets one of its own and publishes what it serves there.
func offHost() scene {
	another := func(path, from, to string) plan.Change {
		return plan.Change{Path: path, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
	}
	const leaving = `format: docker-harden/profile/v1
name: leaves-the-host
controls:
  docker/host-network: {params: {network: bridge, ports: ["127.0.0.1:18081:18080/tcp"], unpublished: []}}
`
	c := scene{
		Row: row.Row{
			ID: "52", Case: "the host's network is left for the default bridge, with the port published that it serves, as answered",
			Apply: "another network namespace than the host's, the port bound as asked and answered, nothing left to change", Rollback: "on the host's network again, its own port answered, equal inspect answer",
		},
		name: "offhost",
		args: []string{"--network", "host"},
		cmd:  []string{"sh", "-c", "mkdir -p /tmp/www; echo served > /tmp/www/index.html; httpd -p 18080 -h /tmp/www; " + asleep},
		changes: []plan.Change{
			change("NetworkMode", `"host"`, `"bridge"`),
			change("PortBindings", `{}`, `{"18080/tcp":[{"HostIp":"127.0.0.1","HostPort":"18081"}]}`),
			another("Config.ExposedPorts", `null`, `{"18080/tcp":{}}`),
		},
		other: []string{"Config.Hostname", "NetworkSettings.Ports", "NetworkSettings.host", "NetworkSettings.bridge"},
	}
	c.ready = func(s *stage) {
		s.serves("18080", true)
		list := about(findings(s.T, s.h, leaving), s.name)
		if len(list) != 1 || len(list[0].Changes) != len(c.changes) {
			s.Fatalf("a plan with the answer: %+v", list)
		}
		for i, want := range c.changes {
			if got := list[0].Changes[i]; got.Path != want.Path || string(got.From) != string(want.From) || string(got.To) != string(want.To) {
				s.Errorf("a plan with the answer changes %s from %s to %s, want %+v", got.Path, got.From, got.To, want)
			}
		}
		short := strings.Replace(leaving, `"127.0.0.1:18081:18080/tcp"`, "", 1)
		if list := about(findings(s.T, s.h, short), s.name); len(list) > 0 {
			s.Errorf("a plan whose answer forgets its port changes %+v", list)
		}
	}
	c.after = func(s *stage) {
		s.serves("18081", false)
		s.want(`{{json (index .NetworkSettings.Ports "18080/tcp")}}`, `[{"HostIp":"127.0.0.1","HostPort":"18081"}]`)
		if left := about(findings(s.T, s.h, leaving), s.name); len(left) > 0 {
			s.Errorf("a plan again would change %+v", left)
		}
	}
	c.back = func(s *stage) { s.serves("18080", true) }
	return c
}

// serves waits for its page on a port of this host's 127.0.0.1, and looks whether it has the host's network.
func (s *stage) serves(port string, shared bool) {
	s.Helper()
	eventually(s.T, "it serves on port "+port, func() bool {
		return strings.HasPrefix(page("http://127.0.0.1:"+port+"/index.html"), "served")
	})
	pid := fmt.Sprint(inspect(s.T, s.h, s.name).of("State.Pid"))
	own, err := os.Readlink("/proc/" + pid + "/ns/net")
	host, err2 := os.Readlink("/proc/1/ns/net")
	if err != nil || err2 != nil || (own == host) != shared {
		s.Errorf("its network is %s, the host's %s, %v %v", own, host, err, err2)
	}
}

func page(url string) string {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
