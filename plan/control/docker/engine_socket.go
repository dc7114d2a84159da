package docker

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func engineSocket() control.Control {
	return control.Control{
		ID:    "docker/engine-socket",
		Title: "The container cannot reach the engine's socket",
		Why: "Elevation of privilege: who can write to the engine's socket starts a privileged container and has the host. " +
			"Mounting it read-only changes nothing: the file is read-only, the conversation is not.",
		Risk: "Nothing is changed: Traefik, Portainer, Watchtower, CI runners and agents live by the socket.",
		Fix:  "By hand: put a socket proxy that allows only the needed requests in between, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.31", "cis-docker-1.6.0": "5.32", "cis-docker-1.8.0": "5.32", "stride": "E,T",
		},
		Class:     control.Reported,
		Verified:  "mounts that the engine shows (inspect, Mounts), against the sockets of this host's engines",
		Severity:  plan.RiskHigh,
		Container: judgeEngineSocket,
	}
}

func judgeEngineSocket(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	var found []plan.Evidence
	var sources []string
	for _, m := range c.Inspect.Mounts {
		if socket := reaches(m, socketsOf(h)); socket != "" {
			found = append(found, evidence("mount", sourceInspect, "%s on %s reaches %s", plainName(m.Source), plainName(m.Destination), socket))
			sources = append(sources, plainName(m.Source))
		}
	}
	if len(found) == 0 {
		return verdict(plan.Pass, "no socket of an engine is mounted")
	}
	f := verdict(plan.Manual, "it can reach the engine's socket through %s", strings.Join(sources, ", "))
	f.Evidence = found
	return ask(f, "Which requests does it make to the engine? Put a socket proxy that allows only these in between, or accept the risk.",
		answerException(c, "docker/engine-socket"))
}

// socketsOf are the sockets that give the host away: those of this engine, and the usual ones.
func socketsOf(h *inventory.Host) []string {
	sockets := []string{"/run/docker.sock", "/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock"}
	hosts := append([]string{h.Identity.Endpoint}, h.Daemon.Flags["hosts"]...)
	hosts = append(hosts, texts(h.Daemon.Keys["hosts"])...)
	for _, host := range hosts {
		if socket, ok := strings.CutPrefix(host, "unix://"); ok && !slices.Contains(sockets, realRun(socket)) {
			sockets = append(sockets, realRun(socket))
		}
	}
	return sockets
}

// reaches is the socket that a mount shows: the socket itself, or a directory above it.
func reaches(m inventory.Mount, sockets []string) string {
	if m.Type != "bind" || m.Source == "" {
		return ""
	}
	source := realRun(m.Source)
	for _, socket := range sockets {
		if source == socket || source == "/" || strings.HasPrefix(socket, source+"/") {
			return socket
		}
	}
	// A socket of another engine, at a place nobody can list.
	if path.Base(source) == "docker.sock" {
		return fmt.Sprintf("%q", m.Source)
	}
	return ""
}

// realRun is a path with the usual link /var/run followed.
func realRun(name string) string {
	name = path.Clean("/" + name)
	if rest, ok := strings.CutPrefix(name, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return name
}
