package owner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
)

// serviceFlags are the flags of docker service update that make a wish come true, and what they
// cannot do, a sentence each.
func serviceFlags(w wish) (flags, left []string) {
	// The flags move a capability by one place: dropping one that was added only takes it out of
	// what is added, and the other way round.
	for _, c := range union(w.drop.more(), w.add.less()) {
		flags = append(flags, "--cap-drop", c)
	}
	for _, c := range union(w.add.more(), w.drop.less()) {
		flags = append(flags, "--cap-add", c)
	}
	for _, c := range w.add.less() {
		if slices.Contains(w.drop.more(), c) {
			left = append(left, "run it twice: the first time takes "+c+" out of what is added, the second drops it")
			break
		}
	}
	if w.readOnly {
		flags = append(flags, "--read-only")
	}
	for _, place := range slices.Sorted(maps.Keys(w.tmpfs)) {
		spec, rest := tmpfsMount(place, w.tmpfs[place])
		flags = append(flags, "--mount-add", spec)
		if rest != "" {
			left = append(left, fmt.Sprintf("a tmpfs of a service takes size and mode only: %s of %s cannot be set", rest, place))
		}
	}
	if w.memory != nil {
		flags = append(flags, "--limit-memory", strconv.FormatInt(*w.memory, 10)+"b")
	}
	if w.pids != nil {
		flags = append(flags, "--limit-pids", strconv.FormatInt(*w.pids, 10))
	}
	if w.restart != nil {
		flags = append(flags, "--restart-condition", w.restart.Name, "--restart-max-attempts", strconv.Itoa(w.restart.MaximumRetryCount))
	}
	publish, unpublished := w.ports.service()
	flags, left = append(flags, publish...), append(left, unpublished...)
	for _, f := range w.check.flags() {
		flags = append(flags, f[0], f[1])
	}
	return flags, append(left, unserved(w)...)
}

// unserved is what no flag of docker service update sets.
func unserved(w wish) (left []string) {
	if w.opts.changed {
		if slices.Contains(w.opts.more(), noNewPrivileges) {
			left = append(left, `no flag sets no-new-privileges: put "no-new-privileges": true into daemon.json of every node, then make new tasks with docker service update --force`)
		}
		if more := minus(w.opts.more(), []string{noNewPrivileges}); len(more)+len(w.opts.less()) > 0 {
			left = append(left, "no flag changes the other security options: set them in the stack file or make the service anew")
		}
	}
	if w.shares != nil {
		left = append(left, "a service has no CPU shares: --limit-cpu or --reserve-cpu bound it otherwise")
	}
	for _, field := range w.unsaid() {
		left = append(left, "no flag is known for "+field)
	}
	return left
}

// tmpfsMount is a tmpfs for --mount-add, and the options it has no word for.
func tmpfsMount(place, options string) (spec, rest string) {
	spec = "type=tmpfs,destination=" + place
	var other []string
	for _, option := range strings.Split(options, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "size", "mode":
			spec += ",tmpfs-" + name + "=" + value
		case "", "rw", "noexec", "nosuid", "nodev": // what the engine does by itself
		default:
			other = append(other, option)
		}
	}
	return spec, strings.Join(other, ",")
}

func union(a, b []string) []string { return append(slices.Clone(a), minus(b, a)...) }

func serviceUpdate(service string, flags []string) string {
	words := append([]string{"docker", "service", "update"}, flags...)
	return Command(append(words, operand(service)...)...)
}

// ofService is the short form for one finding.
func ofService(service string, changes []plan.Change) string {
	flags, left := serviceFlags(read(changes))
	text := fmt.Sprintf("owned by Swarm service %s, which would make it again: ", service)
	if len(flags) > 0 {
		text += serviceUpdate(service, flags)
		if len(left) > 0 {
			text += "; "
		}
	}
	return text + strings.Join(left, "; ")
}

func adviseService(service string, w wish) (text, lines []string) {
	flags, left := serviceFlags(w)
	text = []string{"Swarm would make the tasks again as the service says. The update replaces them one after the other, on every node."}
	if len(flags) > 0 {
		lines = append(lines, serviceUpdate(service, flags))
	}
	for _, l := range left {
		lines = append(lines, "# "+l)
	}
	return text, append(lines, "# a service of a stack: set the same in the stack file, or the next docker stack deploy takes it back")
}
