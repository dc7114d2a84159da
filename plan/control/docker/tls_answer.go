package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// The answers to what happens to an open TCP port.
const (
	answerRemove = "remove"
	answerTLS    = "tls"
)

// openPort is a TCP port on which the engine lets everybody in.
type openPort struct {
	host           *inventory.Host
	conf, verified configured
	open           []string
}

// answer makes of the finding what the profile says. The finding's change removes the addresses.
func (o openPort) answer(f plan.Finding, p profile.Params) plan.Finding {
	control, answer := tlsOnTCP().ID, p.Text("answer")
	if o.conf.flag && answer != answerTLS {
		return o.byHand(f, "hosts is given by a flag, which daemon.json cannot take back. "+o.unitText())
	}
	switch answer {
	case answerRemove:
		return o.remove(f)
	case answerTLS:
		return o.verify(f, givenTLS(p))
	}
	// No question: whoever does not answer has a host that is open to the network, and that is a failure.
	return o.byHand(f, fmt.Sprintf("who uses %s has to be known. If nobody does, remove it.%s%s. "+
		"Else have a CA sign a certificate for the engine and one for each client, put the engine's three files here as root's, mode 0444 and the key 0400.%s%s",
		list(o.open), answerMark, answerHost(control, "answer: "+answerRemove), answerMark, answerHost(control, exampleTLS())))
}

func (o openPort) byHand(f plan.Finding, why string) plan.Finding {
	f.Changes, f.Risk, f.Blocked, f.Reason = nil, plan.Risk{}, why, plan.NeedsPolicy
	return f
}

// remove keeps what is no TCP address, if something is left by which the engine is reached.
func (o openPort) remove(f plan.Finding) plan.Finding {
	left := withoutNetwork(o.conf.value)
	switch {
	case len(left) == 0:
		return o.byHand(f, `without it nothing would be left on which the engine listens: add "unix:///var/run/docker.sock" to hosts in daemon.json, restart the engine, then plan again`)
	case !strings.HasPrefix(o.host.Identity.Endpoint, "unix://"):
		return o.byHand(f, "this tool reaches the engine by what would be removed: name a socket with -H unix://…, then plan again")
	}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "clients that use "+list(o.open)+" lose the engine")
	return f
}

// withoutNetwork are the addresses of a hosts list that are no TCP ports.
func withoutNetwork(hosts json.RawMessage) []string {
	network := onNetwork(hosts)
	left := slices.DeleteFunc(texts(hosts), func(address string) bool { return slices.Contains(network, address) })
	return append([]string{}, left...)
}

// plainFlags are those whose values are no secrets, so that a command line of nothing else can be shown.
var plainFlags = []string{
	"hosts", "containerd", "data-root", "exec-root", "pidfile", "config-file", "group", "log-level", "debug", "live-restore",
	"storage-driver", "tls", "tlsverify", "tlscacert", "tlscert", "tlskey", "icc", "iptables", "userland-proxy", "no-new-privileges",
}

// unitText is the drop-in that takes the addresses out of the engine's command line, in words where the line has
// more in it than may be shown.
func (o openPort) unitText() string {
	d := o.host.Daemon
	if d.Manager != "systemd" || d.Unit == "" {
		return fmt.Sprintf("Take -H %s out of what starts the engine, and restart it", strings.Join(o.open, " -H "))
	}
	where := fmt.Sprintf("/etc/systemd/system/%s.d/90-listen.conf", plainName(d.Unit))
	line, ok := withoutHosts(d.NextArgv, o.open)
	if !ok {
		return fmt.Sprintf("In %s write the section [Service], an empty ExecStart= and the ExecStart= of systemctl cat %s without -H %s (look into the file of EnvironmentFile= too); then run systemctl daemon-reload and restart the engine",
			where, plainName(d.Unit), strings.Join(o.open, " -H "))
	}
	return fmt.Sprintf(`Write into %s: "[Service]", "ExecStart=" and "ExecStart=%s", a line each; then run systemctl daemon-reload and systemctl restart %s`, where, line, plainName(d.Unit))
}

// withoutHosts is a command line without these addresses. false: it is not one that can be shown.
func withoutHosts(argv, drop []string) (string, bool) {
	for name := range inventory.ParseFlags(argv) {
		if !slices.Contains(plainFlags, name) {
			return "", false
		}
	}
	var out []string
	for i := 0; i < len(argv); i++ {
		word := argv[i]
		if !ordinary.MatchString(strings.ReplaceAll(word, "=", "")) {
			return "", false
		}
		if (word == "-H" || word == "--host") && i+1 < len(argv) {
			if i++; slices.Contains(drop, argv[i]) {
				continue
			}
			out = append(out, word, argv[i])
			continue
		}
		value, joined := strings.CutPrefix(word, "--host=")
		if !joined {
			value, joined = strings.CutPrefix(word, "-H")
			value = strings.TrimPrefix(value, "=")
		}
		if joined && slices.Contains(drop, value) {
			continue
		}
		out = append(out, word)
	}
	left := inventory.ParseFlags(out)["hosts"]
	if len(left) == 0 || slices.ContainsFunc(left, func(address string) bool { return slices.Contains(drop, address) }) {
		return "", false
	}
	return strings.Join(out, " "), true
}
