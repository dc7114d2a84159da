package owner

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
)

// portWish is what becomes of published ports, each by itself.
type portWish struct {
	was, now []plan.Port // of equal length; nothing inside: not published any more
}

// readPorts sorts out the changes of published ports. false: there is one that cannot be read.
func readPorts(changes []plan.Change) (w portWish, ok bool) {
	for _, c := range changes {
		p, _, isPort := plan.PortOf(c.Path)
		if !isPort || slices.Contains(w.was, p) {
			continue
		}
		to := plan.Port{}
		after, err := plan.Publish(map[string][]plan.PortBinding{p.Inside: {p.PortBinding}}, ofPort(p, changes))
		if err != nil {
			return w, false
		}
		if list := after[p.Inside]; len(list) > 0 {
			to = plan.Port{Inside: p.Inside, PortBinding: list[0]}
		}
		w.was, w.now = append(w.was, p), append(w.now, to)
	}
	return w, true
}

func ofPort(p plan.Port, changes []plan.Change) []plan.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c plan.Change) bool {
		q, _, ok := plan.PortOf(c.Path)
		return !ok || p != q
	})
}

// run are the flags of docker run that come in and go out.
func (w portWish) run() (put, take []string) {
	for i, p := range w.was {
		take = append(take, "--publish="+p.String())
		if flag := "--publish=" + w.now[i].String(); w.now[i].Inside != "" && !slices.Contains(put, flag) {
			put = append(put, flag)
		}
	}
	return put, take
}

// service are the flags of docker service update for the ports of a task, and what they cannot do.
func (w portWish) service() (flags, left []string) {
	for i, p := range w.was {
		to := w.now[i]
		if to.HostIP != p.HostIP {
			text := fmt.Sprintf("a service publishes port %s on all addresses of a node: let a proxy or a firewall in front of it keep clients out", p.Inside)
			if !slices.Contains(left, text) {
				left = append(left, text)
			}
			continue
		}
		port, protocol, _ := strings.Cut(p.Inside, "/")
		flags = append(flags, "--publish-rm", p.Inside)
		if to.Inside != "" {
			flags = append(flags, "--publish-add", fmt.Sprintf("mode=host,protocol=%s,published=%s,target=%s", protocol, to.HostPort, port))
		}
	}
	return flags, left
}

// pod says what the manifest needs.
func (w portWish) pod() (left []string) {
	for i, p := range w.was {
		if to := w.now[i]; to.Inside != "" {
			left = append(left, fmt.Sprintf("hostPort %s and hostIP %q of port %s under ports", to.HostPort, to.HostIP, p.Inside))
			continue
		}
		left = append(left, fmt.Sprintf("ports, where port %s needs no hostPort", p.Inside))
	}
	return left
}
