package docker

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func userlandProxy() control.Control {
	return control.Control{
		ID:    "docker/userland-proxy",
		Title: "Published ports are forwarded by the kernel, not by a proxy process",
		Why: "Denial of service and elevation of privilege: docker-proxy is a process of root for every published port, reachable by whoever reaches the port. " +
			"The kernel's forwarding does the same with less to attack.",
		Risk: "A port published on all addresses can stop answering on ::1 and on IPv6 addresses of the host, and sources of connections from the host look different. " +
			"Ports published on 127.0.0.1 then rest on route_localnet. Nothing keeps another program of the host from taking the same port.",
		Fix: "userland-proxy: false in daemon.json and an engine restart; the proxies end with the old engine. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.14", "cis-docker-1.6.0": "2.16", "cis-docker-1.8.0": "2.17", "stride": "D,E",
		},
		Class:    control.Automatic,
		Verified: "docker-proxy processes of the engine, beside daemon.json and flags as the engine last read them",
		Severity: plan.RiskLow,
		Params:   []profile.Param{acceptParam("turn the proxy off although published ports may be used through it (localhost, IPv6)")},
		Host:     judgeUserlandProxy,
	}
}

func judgeUserlandProxy(h *inventory.Host, p profile.Params) []plan.Finding {
	f := judgeKey(h, daemonKey{
		name: "userland-proxy", absent: json.RawMessage("true"), want: json.RawMessage("false"),
		kind: plan.KindRestart, good: isBool(false), says: sayProxy,
	})
	proxied := proxiedPorts(h)
	if len(f.Changes) == 0 || len(proxied) == 0 {
		return []plan.Finding{f}
	}
	ports := strings.Join(proxied, ", ")
	if !p.Bool("accept") {
		return []plan.Finding{ask(f, "Does anything reach these ports over localhost or IPv6, which the proxy serves: "+ports+"? If not, it can be turned off.",
			answerHost("docker/userland-proxy", "accept: true"))}
	}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "these ports may stop answering on localhost or IPv6: "+ports)
	return []plan.Finding{f}
}

// sayProxy looks for proxies, which only exist while ports are published.
func sayProxy(h *inventory.Host) answer {
	n := h.Daemon.ProxyProcesses
	if !h.Engine.Local || n == 0 {
		return answer{}
	}
	return answer{known: true, text: fmt.Sprintf("docker-proxy runs %d times", n), source: "processes of the engine"}
}

// proxiedPorts are the published ports that clients may use through the proxy: all addresses, loopback, IPv6.
func proxiedPorts(h *inventory.Host) []string {
	var out []string
	for i := range h.Containers {
		c := &h.Containers[i]
		if control.Kept(c) {
			continue
		}
		for _, published := range []map[string][]inventory.Port{c.Inspect.HostConfig.PortBindings, c.Inspect.NetworkSettings.Ports} {
			for port, bindings := range published {
				for _, b := range bindings {
					if text := fmt.Sprintf("%s %s:%s->%s", c.Name, hostIP(b.HostIP), b.HostPort, port); proxied(b.HostIP) && !slices.Contains(out, text) {
						out = append(out, text)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func hostIP(ip string) string {
	if ip == "" {
		return "0.0.0.0"
	}
	if strings.Contains(ip, ":") {
		return "[" + strings.Trim(ip, "[]") + "]"
	}
	return ip
}

func proxied(ip string) bool {
	addr, err := netip.ParseAddr(strings.Trim(ip, "[]"))
	return err != nil || addr.Is6() || addr.IsUnspecified() || addr.IsLoopback()
}
