package control

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// ownerBlocks says why a container's owner, and not this tool, has to make a change. Another tool
// would undo it at once (Swarm, Kubernetes) or at the next start of its unit (systemd).
func ownerBlocks(c *inventory.Container, changes []plan.Change) string {
	switch c.Owner.Kind {
	case inventory.OwnedBySwarm:
		return fmt.Sprintf("owned by Swarm service %s: %s", c.Owner.Name, swarmHint(c.Owner.Name, changes))
	case inventory.OwnedByKubernetes:
		return fmt.Sprintf("owned by Kubernetes pod %s: change securityContext or resources of the workload that makes the pod with kubectl edit", c.Owner.Name)
	case inventory.OwnedBySystemd:
		return fmt.Sprintf("started by systemd unit %s: put the option on docker run in that unit (systemctl edit --full %s) and restart it", c.Owner.Name, c.Owner.Name)
	}
	return ""
}

// swarmFlags are the flags of docker service update that make a change.
var swarmFlags = map[string]string{
	"HostConfig.Memory":         "--limit-memory",
	"HostConfig.PidsLimit":      "--limit-pids",
	"HostConfig.CapDrop":        "--cap-drop",
	"HostConfig.CapAdd":         "--cap-add",
	"HostConfig.ReadonlyRootfs": "--read-only",
	"HostConfig.Tmpfs":          "--mount-add type=tmpfs",
	"HostConfig.RestartPolicy":  "--restart-condition on-failure --restart-max-attempts",
}

func swarmHint(service string, changes []plan.Change) string {
	var flags []string
	for _, c := range changes {
		if flag := swarmFlags[c.Path]; flag != "" && !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	if len(flags) == 0 {
		return "docker service update cannot set it in every version; set it in the stack file and deploy again, or accept the risk with an exception"
	}
	return fmt.Sprintf("use docker service update (%s) %s", strings.Join(flags, ", "), service)
}

// composeReason is why a change of a Compose container does not last for ever.
func composeReason(c *inventory.Container) string {
	return fmt.Sprintf("compose: the next change of project file of %s recreates it without this hardening; put it in the compose file", c.Owner.Name)
}

// composeUndo is what differs after the rollback of a recreated Compose container.
const composeUndo = "Compose would start a kept old container, so it is removed and made again: same configuration and volumes, another id"
