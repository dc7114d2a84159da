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
		Class:    control.Reported,
		Verified: "daemon.json and flags, as the engine last read them",
		Severity: plan.RiskHigh,
		Host:     judgeTLS,
	}
}

func judgeTLS(h *inventory.Host, _ profile.Params) []plan.Finding {
	verified := daemonKey{name: "tlsverify", absent: json.RawMessage("false")}.configured(h)
	conf := listening(h, verified)
	open, verifies := onNetwork(conf.value), isBool(true)(verified.value)
	f := judgeKey(h, daemonKey{
		name: "hosts", absent: json.RawMessage("[]"), kind: plan.KindRestart,
		good: func(json.RawMessage) bool { return len(open) == 0 || verifies },
	})
	if f.Status == plan.Unknown || f.Status == plan.NotApplicable {
		return []plan.Finding{f}
	}
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
		f.Evidence = append(f.Evidence, evidence("tlsverify", verified.from, "%s", verified.value))
	}
	return []plan.Finding{f}
}

// listening are the addresses of the next start. An engine that has TLS turned on and no address listens on a
// TCP port of this host, and on no socket.
func listening(h *inventory.Host, verified configured) configured {
	conf := daemonKey{name: "hosts", absent: json.RawMessage("[]")}.configured(h)
	tls := daemonKey{name: "tls", absent: json.RawMessage("false")}.configured(h)
	on := isBool(true)
	if len(texts(conf.value)) == 0 && (on(tls.value) || on(verified.value)) {
		return configured{value: raw([]string{"tcp://localhost:2376"}), from: "the default with TLS"}
	}
	return conf
}

// onNetwork are the addresses of a hosts list that are neither sockets of this host nor handed over by systemd.
func onNetwork(hosts json.RawMessage) []string {
	return slices.DeleteFunc(texts(hosts), func(address string) bool {
		return strings.HasPrefix(address, "unix://") || strings.HasPrefix(address, "fd://") || strings.HasPrefix(address, "/") || strings.HasPrefix(address, "npipe://")
	})
}
