package docker

import (
	"encoding/json"
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// remap turns remapping on where nothing that the engine has gets out of sight.
func remap(h *inventory.Host, f plan.Finding, p profile.Params) plan.Finding {
	user, leave := p.Text(paramRemap), p.Text(paramLeave)
	if why := notRemapped(h, user, leave); why != "" {
		f.Blocked = why
		return f
	}
	from := h.Daemon.Keys["userns-remap"]
	if from == nil {
		from = json.RawMessage("null")
	}
	stays := "the data directory of the remapped engine stays"
	if h.Remap.Made {
		stays += ", and so do the user and group dockremap and their lines in /etc/subuid and /etc/subgid, which the engine makes"
		f.Notes = append(f.Notes, "the engine makes the user and group dockremap, without a password, and gives them ids in /etc/subuid and /etc/subgid")
	}
	f.Changes = []plan.Change{{Path: "userns-remap", From: from, To: raw(user), Kind: plan.KindRestart, Reversibility: plan.Functional, ReverseNote: stays}}
	f.Risk = f.Risk.Raise(plan.RiskHigh, "files in bind mounts belong to other users than those in containers; privileged containers, and those on the host's network or pid namespace, need --userns host")
	if images := h.Remap.Images; len(images) > 0 {
		f.Risk = f.Risk.Raise(plan.RiskHigh, fmt.Sprintf("%s left in the old data directory, to be pulled or built again: %s", numbered(len(images), "image is", "images are"), list(plainNames(images))))
	}
	return f
}

// notRemapped says why the engine must not remap users to this one; empty: nothing is against it.
func notRemapped(h *inventory.Host, user, leave string) string {
	m := h.Remap
	if problem := unreadable(h); problem != "" {
		return "nothing can be changed: " + problem
	}
	switch {
	case m == nil || m.User != user:
		return "what the engine would lose sight of was not looked at: a snapshot does not show it, so plan on the host itself"
	case m.Problem != "":
		return fmt.Sprintf("users cannot be remapped to %s: %s", plainName(user), m.Problem)
	case m.Unread != "":
		return "what the engine would lose sight of is not known: " + m.Unread
	case control.SwarmActive(h):
		return "the host is in a swarm, which is in the old data directory too: leave the swarm first (docker swarm leave), then plan again"
	}
	var way []string
	add := func(names []string, one, more string) {
		if len(names) > 0 {
			way = append(way, numbered(len(names), one, more)+" ("+list(plainNames(names))+")")
		}
	}
	add(m.Containers, "container", "containers")
	add(m.Volumes, "volume", "volumes")
	add(m.Networks, "network", "networks")
	add(m.Plugins, "plugin", "plugins")
	images := len(way)
	if leave != leaveImages {
		add(m.Images, "image", "images")
	}
	if len(way) == 0 {
		return ""
	}
	why := "the engine would lose sight of " + strings.Join(way, ", ") + ": remove what is not needed any more and move the rest elsewhere, then plan again"
	if images == 0 {
		why += fmt.Sprintf("; or leave the images behind.%s%s", answerMark, answerHost("docker/userns-remap", fmt.Sprintf("%s: %s, %s: %s", paramRemap, user, paramLeave, leaveImages)))
	}
	return why
}

// numbered is a number with its noun.
func numbered(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
