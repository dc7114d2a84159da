package owner

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// Reason says why a container's owner, and not this tool, has to make changes, and how; empty: this
// tool may. Another tool would undo them at once (Swarm, Kubernetes) or at its next start (systemd).
// Compose is no such reason: it makes a container again only when somebody asks it to.
func Reason(c *inventory.Container, changes []plan.Change) string {
	name := c.Owner.Name
	switch c.Owner.Kind {
	case inventory.OwnedByNobody, inventory.OwnedByCompose:
		return ""
	case inventory.OwnedBySwarm:
		return ofService(name, changes)
	case inventory.OwnedByKubernetes:
		return ofPod(c, changes)
	case inventory.OwnedBySystemd:
		return ofUnit(name, changes)
	}
	o := otherOwner(c.Owner)
	return fmt.Sprintf("owned by %s: %s", o.who, o.what)
}

// other is an owner with a place for settings of its own, which is named and not written out.
type other struct{ who, what string }

func otherOwner(o inventory.Owner) other {
	switch o.Kind {
	case inventory.OwnedByNomad:
		return other{"Nomad task " + o.Name, "Nomad would make it again; set cap_drop, security_opt, readonly_rootfs, pids_limit in the config and memory in the resources of the task in its job file, then nomad job run"}
	case inventory.OwnedByECS:
		return other{"ECS task definition " + o.Name, "the ECS agent would make it again; set linuxParameters.capabilities, dockerSecurityOptions, readonlyRootFilesystem, memory in a new revision of the task definition, and deploy it"}
	case inventory.OwnedByKind, inventory.OwnedByK3d, inventory.OwnedByMinikube:
		return other{fmt.Sprintf("%s cluster %s", o.Kind, o.Name), "it is a node of a Kubernetes cluster and needs its privileges; accept it with an exception, or run no such cluster on this host"}
	case inventory.OwnedByBuildx:
		return other{"docker buildx builder " + o.Name, "buildx makes it again when it builds; make the builder anew with docker buildx create --driver-opt (memory, cpu-shares, …), or accept it with an exception"}
	case inventory.OwnedByGitLab:
		return other{"GitLab Runner job " + o.Name, "the runner makes one for every job; set cap_drop, security_opt, memory in [runners.docker] of its config.toml"}
	case inventory.OwnedByDevContainer:
		return other{"the development container of " + o.Name, "the editor makes it again; set the flags in runArgs of devcontainer.json"}
	case inventory.OwnedByTestcontainers:
		return other{"a test run (Testcontainers session " + o.Name + ")", "the test makes and removes it"}
	}
	return other{fmt.Sprintf("%s %s", o.Kind, o.Name), "it would make the container again; change it there"}
}

// title is an owner as a heading names it.
func title(o inventory.Owner) string {
	switch o.Kind {
	case inventory.OwnedBySwarm:
		return "Swarm service " + o.Name
	case inventory.OwnedByKubernetes:
		return "Kubernetes pod " + o.Name
	case inventory.OwnedBySystemd:
		return "systemd unit " + o.Name
	}
	return otherOwner(o).who
}
