package docker

import (
	"encoding/json"
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
		Risk: "Clients that use the port lose the engine, or need a certificate that the CA signed from then on; they have to be known first.",
		Fix: "As the profile answers: hosts in daemon.json without its TCP addresses, or tlsverify with the three TLS files that the profile or daemon.json names, once they were judged good; " +
			"and an engine restart. What stands in the engine's unit is changed by hand, with the drop-in that the finding shows. Undone by the file's old bytes and a restart.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.6", "cis-docker-1.6.0": "2.7", "cis-docker-1.8.0": "2.8", "stride": "S,I,E",
		},
		Class:    control.Answer,
		Verified: "daemon.json and flags, as the engine last read them, and its own warnings in GET /info",
		Severity: plan.RiskHigh,
		Params: []profile.Param{
			{
				Name: "answer", Type: profile.TypeChoice, Default: "ask", Choices: []string{"ask", answerRemove, answerTLS},
				Doc: "what happens to TCP ports without verified clients: remove takes them out of hosts in daemon.json, tls sets tlsverify with the TLS files named here or configured",
			},
			{Name: paramCA, Type: profile.TypeText, Default: "", Doc: "with answer tls: the absolute path of the CA that signs the certificates of clients; empty: as configured"},
			{Name: paramCert, Type: profile.TypeText, Default: "", Doc: "with answer tls: the absolute path of the engine's own certificate; empty: as configured"},
			{Name: paramKey, Type: profile.TypeText, Default: "", Doc: "with answer tls: the absolute path of the key of that certificate; empty: as configured"},
		},
		Host: judgeTLS,
	}
}

func judgeTLS(h *inventory.Host, p profile.Params) []plan.Finding {
	verified := daemonKey{name: "tlsverify", absent: json.RawMessage("false")}.configured(h)
	conf := listening(h, verified)
	open, verifies := onNetwork(conf.value), isBool(true)(verified.value)
	f := judgeKey(h, daemonKey{
		name: "hosts", absent: json.RawMessage("[]"), want: raw(withoutNetwork(conf.value)), kind: plan.KindRestart,
		good: func(json.RawMessage) bool { return len(open) == 0 || verifies }, says: sayOpen,
	})
	if f.Status == plan.Unknown || f.Status == plan.NotApplicable {
		return []plan.Finding{f}
	}
	switch {
	case len(h.Daemon.Passed) > 0 && !verifies:
		f = verdict(plan.Fail, "systemd opens %s for it and everybody is let in: tlsverify is %s (%s)", list(h.Daemon.Passed), string(verified.value), verified.from)
		f.Resource, f.Blocked = plan.Daemon(), "take ListenStream="+plainName(h.Daemon.Passed[0])+" out of docker.socket (systemctl cat docker.socket says where it is), run systemctl daemon-reload and restart docker.socket"
	case len(open) == 0 && f.Status == plan.Pass && len(h.Daemon.Passed) > 0:
		f.Message = "clients on " + list(h.Daemon.Passed) + " need a certificate (tlsverify, " + verified.from + ")"
	case len(open) == 0 && f.Status == plan.Pass:
		f.Message = "it listens on no TCP port"
	case f.Status == plan.Pass:
		f.Message = "clients on " + list(open) + " need a certificate (tlsverify, " + verified.from + ")"
	case len(f.Changes) > 0:
		f.Message = "it listens on " + list(open) + " (" + conf.from + ") and lets everybody in: tlsverify is " + string(verified.value) + " (" + verified.from + ")"
		f = openPort{host: h, conf: conf, verified: verified, open: open}.answer(f, p)
	}
	if len(open) > 0 {
		f.Evidence = append(f.Evidence, evidence("tlsverify", verified.from, "%s", verified.value))
	}
	return []plan.Finding{f}
}

// sayOpen reads the warning that an engine gives of each port on which it lets everybody in. An engine that gives
// none may be one that never does.
func sayOpen(h *inventory.Host) answer {
	const warning = "API is accessible on "
	for _, w := range h.Engine.Warnings {
		if _, where, ok := strings.Cut(w, warning); ok {
			where, _, _ = strings.Cut(where, " ")
			return info(false, "the engine says that everybody reaches it on %s", plainName(where))
		}
	}
	return answer{}
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
