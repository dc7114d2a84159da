package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"docker-harden/plan/inventory"
)

// baseline is how a container served before it was replaced.
type baseline struct {
	proc    *inventory.Proc
	healthy bool
	ports   []string // "80/tcp" that answered
	lines   map[string]bool
}

func (r *Recreator) baseline(ctx context.Context, a *api, c *state) (baseline, error) {
	p, err := r.proc(c)
	if err != nil {
		return baseline{}, err
	}
	b := baseline{proc: p, healthy: c.health() == healthy, ports: answering(ctx, c), lines: make(map[string]bool)}
	for _, line := range c.complaints(a.logTail(ctx, c, logLines)) {
		b.lines[line] = true
	}
	return b, nil
}

const healthy = "healthy"

func (c *state) health() string {
	if c.State.Health == nil {
		return ""
	}
	return c.State.Health.Status
}

// answering lists the published TCP ports behind which something listens.
func answering(ctx context.Context, c *state) []string {
	var out []string
	for _, port := range slices.Sorted(maps.Keys(c.NetworkSettings.Ports)) {
		if strings.HasSuffix(port, "/tcp") && c.answers(ctx, port) {
			out = append(out, port)
		}
	}
	return out
}

// answers dials every host address a container port is published on; all must answer.
func (c *state) answers(ctx context.Context, port string) bool {
	bindings := c.NetworkSettings.Ports[port]
	for _, b := range bindings {
		if !listens(ctx, dialable(b.HostIP), b.HostPort) {
			return false
		}
	}
	return len(bindings) > 0
}

func dialable(ip string) string {
	switch ip {
	case "", "0.0.0.0":
		return "127.0.0.1"
	case "::":
		return "::1"
	}
	return ip
}

// dialTime is how long a port may take to accept; quietTime is how long it is watched for an end
// right after: the engine's proxy accepts first and hangs up when nothing listens behind it.
const (
	dialTime  = time.Second
	quietTime = 150 * time.Millisecond
)

func listens(ctx context.Context, ip, port string) bool {
	if n, err := strconv.Atoi(port); err != nil || n == 0 {
		return false
	}
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(ip, port))
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(quietTime)); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

// users are the user ids a program runs under, by its name.
func users(p *inventory.Proc) map[string][]int {
	out := make(map[string][]int)
	for _, q := range p.All {
		// The engine's own process on its way to becoming a health check or an exec is no program of the container.
		if !strings.HasPrefix(q.Name, "runc:[") {
			out[q.Name] = append(out[q.Name], q.UID)
		}
	}
	return out
}

// nowRoot ends what [risen] says.
const nowRoot = " and now runs as root"

// risen names a program that used to run without root and now runs as root: it tried to give root up, was not allowed
// to, and went on. One that begins as root and has workers that give it up (as web servers do) shows by both: no worker
// of another user is there, and there are more as root than before.
func risen(before, after *inventory.Proc) string { return risenAmong(users(before), users(after)) }

func risenAmong(was, is map[string][]int) string {
	for _, name := range slices.Sorted(maps.Keys(is)) {
		at := slices.IndexFunc(was[name], other)
		if at < 0 {
			continue
		}
		had, has := count(was[name], 0), count(is[name], 0)
		if had == 0 && has > 0 || has > had && !slices.ContainsFunc(is[name], other) {
			return fmt.Sprintf("runs %s, which ran as user %d%s", clean(name, maxMessage), was[name][at], nowRoot)
		}
	}
	return ""
}

func other(id int) bool { return id != 0 }

func count(ids []int, id int) int {
	return len(slices.DeleteFunc(slices.Clone(ids), func(one int) bool { return one != id }))
}

// missing names a program that ran before and does not now, by name and by whether it is root.
func missing(before, after *inventory.Proc) string {
	is := users(after)
	was := users(before)
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if lacks(was[name], is[name]) {
			return clean(name, maxMessage)
		}
	}
	return ""
}

// lacks: there was one as root (or one not as root) and there is none left.
func lacks(was, is []int) bool {
	root := func(ids []int) bool { return slices.Contains(ids, 0) }
	others := func(ids []int) bool { return slices.ContainsFunc(ids, other) }
	return root(was) && !root(is) || others(was) && !others(is)
}
