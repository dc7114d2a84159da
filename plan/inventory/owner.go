package inventory

import (
	"path"
	"slices"
	"strings"
)

// ownerOf tells by its labels and name who made a container, and else whether a systemd unit holds it.
func ownerOf(c *Container, clients []unitClient) Owner {
	labels := c.Inspect.Config.Labels
	switch {
	case labels["com.docker.swarm.service.name"] != "" || labels["com.docker.swarm.service.id"] != "" || labels["com.docker.swarm.task.id"] != "":
		return Owner{OwnedBySwarm, first(labels["com.docker.swarm.service.name"], labels["com.docker.swarm.service.id"], labels["com.docker.swarm.task.id"])}
	case labels["io.kubernetes.pod.name"] != "":
		return Owner{OwnedByKubernetes, strings.TrimPrefix(labels["io.kubernetes.pod.namespace"]+"/"+labels["io.kubernetes.pod.name"], "/")}
	case strings.HasPrefix(c.Name, "k8s_"):
		return Owner{OwnedByKubernetes, podOf(c.Name)}
	case labels["com.docker.compose.project"] != "":
		return Owner{OwnedByCompose, labels["com.docker.compose.project"] + "/" + labels["com.docker.compose.service"]}
	}
	for _, client := range clients {
		if client.names(c) {
			return Owner{OwnedBySystemd, client.unit}
		}
	}
	return Owner{}
}

// podOf reads namespace and pod from a name the kubelet gave: k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT.
func podOf(name string) string {
	parts := strings.Split(name, "_")
	if len(parts) < 4 {
		return name
	}
	return parts[3] + "/" + parts[2]
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// unitClient is a "docker run" or "docker start" that a systemd unit keeps running: stopping its
// container ends the unit, and the unit would make the container anew.
type unitClient struct {
	unit string
	args []string
}

// clients finds the container clients that run as part of systemd services.
func (r hostRoot) clients(table []process) []unitClient {
	var found []unitClient
	for _, p := range table {
		if p.name != "docker" && p.name != "podman" {
			continue
		}
		args, err := r.args(p.pid)
		if err != nil || len(args) < 2 {
			continue
		}
		groups, err := r.cgroups(p.pid)
		if err != nil {
			continue
		}
		if unit, _ := groups.service(); unit != "" {
			found = append(found, unitClient{unit: unit, args: args[1:]})
		}
	}
	return found
}

// names reports whether the client's command line names a container.
func (c unitClient) names(container *Container) bool {
	verb := slices.IndexFunc(c.args, func(arg string) bool { return arg == "run" || arg == "start" || arg == "attach" })
	if verb < 0 {
		return false
	}
	args := c.args[verb+1:]
	if c.args[verb] != "run" {
		return slices.ContainsFunc(args, container.called)
	}
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--name="); ok && name == container.Name {
			return true
		}
		if arg == "--name" && i+1 < len(args) && args[i+1] == container.Name {
			return true
		}
	}
	return false
}

// called reports whether a word names the container: its name, or at least a short id.
func (c *Container) called(word string) bool {
	const short = 12
	return path.Clean(word) == c.Name || len(word) >= short && strings.HasPrefix(c.ID, word)
}
