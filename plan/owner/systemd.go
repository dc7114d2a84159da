package owner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
)

// runFlags are the flags of docker run that make a wish come true, and those that have to go.
func runFlags(w wish) (put, take []string) {
	flag := func(name string, values []string) {
		for _, v := range values {
			put = append(put, name+"="+v)
		}
	}
	gone := func(name string, values []string) {
		for _, v := range values {
			take = append(take, name+"="+v)
		}
	}
	number := func(name string, n *int64) {
		if n != nil {
			put = append(put, name+"="+strconv.FormatInt(*n, 10))
		}
	}
	flag("--cap-drop", w.drop.more())
	gone("--cap-drop", w.drop.less())
	flag("--cap-add", w.add.more())
	gone("--cap-add", w.add.less())
	flag("--security-opt", w.opts.more())
	gone("--security-opt", w.opts.less())
	flag("--network", w.networks.more())
	if w.readOnly {
		put = append(put, "--read-only")
	}
	for _, place := range slices.Sorted(maps.Keys(w.tmpfs)) {
		put = append(put, "--tmpfs="+mount(place, w.tmpfs[place]))
	}
	number("--memory", w.memory)
	if w.swap != nil && *w.swap > 0 {
		number("--memory-swap", w.swap)
	}
	number("--pids-limit", w.pids)
	number("--cpu-shares", w.shares)
	if w.restart != nil {
		put = append(put, fmt.Sprintf("--restart=%s:%d", w.restart.Name, w.restart.MaximumRetryCount))
	}
	in, out := w.ports.run()
	put, take = append(put, in...), append(take, out...)
	for _, f := range w.check.flags() {
		put = append(put, f[0]+"="+f[1])
	}
	return put, take
}

// ofUnit is the short form for one finding.
func ofUnit(unit string, changes []plan.Change) string {
	w := read(changes)
	put, take := runFlags(w)
	what := ""
	if len(put) > 0 {
		what = "add " + unitLine(put) + " to docker run"
	}
	if len(take) > 0 {
		if what != "" {
			what += " and "
		}
		what += "take " + unitLine(take) + " out"
	}
	if what == "" {
		what = "set it there"
	}
	return fmt.Sprintf("started by systemd unit %s, which would make it again: %s (%s)", unit, what, Command(append([]string{"systemctl", "edit", "--full"}, operand(unit)...)...))
}

func unitLine(flags []string) string {
	text := ""
	for i, f := range flags {
		if i > 0 {
			text += " "
		}
		text += unitWord(f)
	}
	return text
}

// adviseUnit is a drop-in for the unit. The rest of the unit's command is not repeated: it may hold
// secrets, and its unit is the place where it is right.
func adviseUnit(unit string, w wish) (text, lines []string) {
	put, take := runFlags(w)
	text = append(text, "The unit starts the container with docker run and would make it again as its ExecStart says: the flags belong there.")
	if len(w.other) > 0 {
		text = append(text, "To be changed in the same command, with flags that depend on the rest of it: "+strings.Join(w.other, ", ")+".")
	}
	lines = []string{
		Command(append([]string{"systemctl", "edit"}, operand(unit)...)...), "# in the editor:", "[Service]", "ExecStart=",
		"ExecStart=/usr/bin/docker run " + unitLine(put) + " …",
	}
	if len(put) == 0 {
		lines[len(lines)-1] = "ExecStart=/usr/bin/docker run …"
	}
	lines = append(lines, "# … is the rest of the command, as systemctl cat shows it")
	if len(take) > 0 {
		lines = append(lines, "# without "+unitLine(take))
	}
	return text, append(lines, Command(append([]string{"systemctl", "restart"}, operand(unit)...)...))
}
