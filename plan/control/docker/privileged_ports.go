package docker

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const (
	privilegedPortsID = "docker/privileged-ports"
	// firstFree is the first port that anybody may open.
	firstFree = 1024
)

func privilegedPorts() control.Control {
	return control.Control{
		ID:    privilegedPortsID,
		Title: "Only ports that may be are published below 1024",
		Why:   "Spoofing: ports below 1024 belong to services of the host; who answers there is taken for the host.",
		Risk:  "Clients know the service by its port, and no longer find it there. From 1024 on any user of the host can take the port while the container is down.",
		Fix: "Where the service belongs there, list the port in the profile (allow). With move, a new container publishes it as another port of the host, on the same address; the old one is kept. The engine must show it so, and what answered " +
			"before must answer there, or the old container comes back. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.7", "cis-docker-1.6.0": "5.8", "cis-docker-1.8.0": "5.8", "stride": "S,E",
		},
		Class:    control.Answer,
		Verified: "ports that are configured and ports that the engine has open now (inspect, NetworkSettings)",
		Severity: plan.RiskLow,
		Params: []profile.Param{
			{Name: "allow", Type: profile.TypeList, Default: []string(nil), Doc: "ports of the host below 1024 that the container may have"},
			{Name: "move", Type: profile.TypeList, Default: []string{}, Doc: `ports of the host below 1024 and what they become, from 1024 on ("80=8080")`},
		},
		Container: judgePrivilegedPorts,
	}
}

func judgePrivilegedPorts(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	low := lowPorts(c, p)
	if len(low) == 0 {
		return verdict(plan.Pass, "no port below %d is published that the profile does not allow", firstFree)
	}
	f := verdict(plan.Manual, "it has port %s of the host", strings.Join(low, ", "))
	w := moveWish(c, p)
	if w.problem == "" && len(w.open) > 0 {
		return askMove(c, f, p, w.open)
	}
	f = republished(h, c, f, w)
	if len(f.Changes) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskMedium, "clients no longer reach it on port "+strings.Join(low, ", ")+" of this host")
	}
	return f
}

// lowPorts are the ports below 1024 that a container has and that the profile does not allow.
func lowPorts(c *inventory.Container, p profile.Params) []string {
	var low []string
	for _, port := range publishedPorts(c) {
		if port.number > 0 && port.number < firstFree && !slices.Contains(p.List("allow"), strconv.Itoa(port.number)) {
			low = append(low, strconv.Itoa(port.number))
		}
	}
	slices.Sort(low)
	return slices.Compact(low)
}

// askMove puts the question, with an answer that allows what is left.
func askMove(c *inventory.Container, f plan.Finding, p profile.Params, open []string) plan.Finding {
	question, answer := "Is it the service that clients of this host expect there?", ""
	if moved := p.List("move"); len(moved) > 0 {
		question += " The answer says nothing of " + strings.Join(open, ", ") + "."
		answer = ", move: [" + quotedList(moved) + "]"
	}
	question += ` If not, give it another port with move: ["` + open[0] + `=8080"].`
	return ask(f, question, answerContainer(c, privilegedPortsID, "allow: ["+quotedList(append(open, p.List("allow")...))+"]"+answer))
}

// moveWish is what the answer makes of ports below 1024.
func moveWish(c *inventory.Container, p profile.Params) (w portWish) {
	to := map[string]string{}
	for _, text := range p.List("move") {
		from, target, _ := strings.Cut(text, "=")
		low, err := strconv.Atoi(from)
		high, err2 := strconv.Atoi(target)
		const last = 1<<16 - 1
		if err != nil || err2 != nil || low < 1 || low >= firstFree || high < firstFree || high > last || to[strconv.Itoa(low)] != "" {
			w.problem = fmt.Sprintf("move %q is no port below %d and another one from there on, or stands twice: write it as 80=8080", text, firstFree)
			return w
		}
		to[strconv.Itoa(low)] = strconv.Itoa(high)
	}
	for _, port := range lowPorts(c, p) {
		target := to[port]
		if target == "" {
			w.open = append(w.open, port)
			continue
		}
		found := false
		for _, at := range configuredPorts(c) {
			if at.HostPort == port {
				w.changes, found = append(w.changes, portChange(at, plan.PortNumber, at.HostPort, target)), true
			}
		}
		if !found {
			w.blocked = append(w.blocked, fmt.Sprintf("port %s is one of a range that the engine picked from: run it with another range, or with one port", port))
		}
	}
	return w
}
