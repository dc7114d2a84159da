package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func tlsOnTCP() control.Control {
	return control.Control{
		ID:    "docker/tls-on-tcp",
		Title: "The engine asks everybody on the network for a certificate",
		Why: "Spoofing, information disclosure and elevation of privilege: who reaches a TCP port of the engine that does not verify clients is root on this host, " +
			"without a password and without a trace.",
		Risk: "Nothing is changed: clients that use the port, and the certificates they have, have to be known first.",
		Fix: "By hand: take the tcp:// address out of hosts in daemon.json or out of -H in the engine's unit; or set tlsverify, tlscacert, tlscert and tlskey. " +
			"Then restart the engine.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.6", "cis-docker-1.6.0": "2.7", "cis-docker-1.8.0": "2.8", "stride": "S,I,E",
		},
		Severity: plan.RiskHigh,
		Host:     judgeTLS,
	}
}

func judgeTLS(h *inventory.Host, _ profile.Params) []plan.Finding {
	hosts := daemonKey{name: "hosts", absent: json.RawMessage("[]")}
	verify := daemonKey{name: "tlsverify", absent: json.RawMessage("false")}
	f := judgeKey(h, daemonKey{
		name: hosts.name, absent: hosts.absent, kind: plan.KindRestart,
		good: func(v json.RawMessage) bool {
			return len(onNetwork(v)) == 0 || isBool(true)(verify.configured(h).value)
		},
	})
	if f.Status == plan.Unknown || f.Status == plan.NotApplicable {
		return []plan.Finding{f}
	}
	conf := hosts.configured(h)
	open, verified := onNetwork(conf.value), verify.configured(h)
	switch {
	case len(open) == 0 && f.Status == plan.Pass:
		f.Message = "it listens on no TCP port"
	case f.Status == plan.Pass:
		f.Message = "clients on " + list(open) + " need a certificate (tlsverify, " + verified.from + ")"
	case len(f.Changes) > 0:
		f.Message = "it listens on " + list(open) + " (" + conf.from + ") and lets everybody in: tlsverify is " + string(verified.value) + " (" + verified.from + ")"
		f.Changes = nil
		f.Blocked = fmt.Sprintf("who uses %s has to be known: take it away (%s), or set tlsverify with the three TLS files, and restart the engine", list(open), conf.from)
	}
	if len(open) > 0 {
		f.Evidence = append(f.Evidence, evidence(verify.name, verified.from, "%s", verified.value))
	}
	return []plan.Finding{f}
}

// onNetwork are the addresses of a hosts list that are neither sockets of this host nor handed over by systemd.
func onNetwork(hosts json.RawMessage) []string {
	return slices.DeleteFunc(texts(hosts), func(address string) bool {
		return strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "fd://") || strings.HasPrefix(address, "/") || strings.HasPrefix(address, "npipe://")
	})
}
