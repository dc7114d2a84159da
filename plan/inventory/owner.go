package inventory

import (
	"path"
	"slices"
	"strings"
)

// ownerOf tells by its labels and name who made a container, and else whether a systemd unit holds it.
func ownerOf(c *Container, clients []unitClient) Owner {
	if owner := OwnerByLabels(c.Name, c.Inspect.Config.Labels); owner.Kind != OwnedByNobody {
		return owner
	}
	for _, client := range clients {
		if client.names(c) {
			return Owner{OwnedBySystemd, client.unit}
		}
	}
	return Owner{}
}

// OwnerByLabels tells by a container's labels and name (without the leading slash) who made it.
func OwnerByLabels(name string, labels map[string]string) Owner {
	switch {
	case labels["com.docker.swarm.service.name"] != "" || labels["com.docker.swarm.service.id"] != "" || labels["com.docker.swarm.task.id"] != "":
		return Owner{OwnedBySwarm, first(labels["com.docker.swarm.service.name"], labels["com.docker.swarm.service.id"], labels["com.docker.swarm.task.id"])}
	case labels["io.kubernetes.pod.name"] != "":
		return Owner{OwnedByKubernetes, strings.TrimPrefix(labels["io.kubernetes.pod.namespace"]+"/"+labels["io.kubernetes.pod.name"], "/")}
	case strings.HasPrefix(name, "k8s_"):
		return Owner{OwnedByKubernetes, podOf(name)}
	case strings.HasPrefix(name, buildxPrefix):
		return Owner{OwnedByBuildx, buildxBuilder(name)}
	}
	for _, o := range orchestrators() {
		if labels[o.label] != "" {
			return Owner{o.kind, first(labels[o.name], labels[o.label])}
		}
	}
	if project := labels[ComposeProject]; project != "" {
		return Owner{OwnedByCompose, project + "/" + labels[ComposeService]}
	}
	return Owner{}
}

// orchestrator is a tool that makes containers and marks them by a label.
type orchestrator struct {
	kind  OwnerKind
	label string
	name  string // the label that names what the tool calls it; where it is missing, label does
}

func orchestrators() []orchestrator {
	return []orchestrator{
		{OwnedByNomad, "com.hashicorp.nomad.alloc_id", "com.hashicorp.nomad.task_name"},
		{OwnedByECS, "com.amazonaws.ecs.task-arn", "com.amazonaws.ecs.task-definition-family"},
		{OwnedByKind, "io.x-k8s.kind.cluster", "io.x-k8s.kind.cluster"},
		{OwnedByK3d, "k3d.cluster", "k3d.cluster"},
		{OwnedByMinikube, "name.minikube.sigs.k8s.io", "name.minikube.sigs.k8s.io"},
		{OwnedByGitLab, "com.gitlab.gitlab-runner.managed", "com.gitlab.gitlab-runner.job.id"},
		{OwnedByDevContainer, "devcontainer.local_folder", "devcontainer.local_folder"},
		{OwnedByTestcontainers, "org.testcontainers.session-id", "org.testcontainers.session-id"},
	}
}

// buildxPrefix begins the names of the containers in which docker buildx builds: they have no label.
const buildxPrefix = "buildx_buildkit_"

// buildxBuilder is the builder of buildx_buildkit_BUILDER0: the number is that of its node.
func buildxBuilder(name string) string {
	return strings.TrimRight(strings.TrimPrefix(name, buildxPrefix), "0123456789")
}

// UnitOf is the systemd unit whose docker client holds a container, by its name or id; empty: none.
// root is where the host's files are found, "" for this machine.
func UnitOf(root, name, id string) (string, error) {
	r := hostRoot(strings.TrimSuffix(root, "/"))
	table, err := r.processes()
	if err != nil {
		return "", err
	}
	for _, client := range r.clients(table) {
		if client.names(&Container{Name: name, ID: id}) {
			return client.unit, nil
		}
	}
	return "", nil
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
