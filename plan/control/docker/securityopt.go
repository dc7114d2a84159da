package docker

import (
	"slices"
	"strconv"
	"strings"
)

const optNoNewPrivileges = "no-new-privileges"

// cutOption splits one entry of SecurityOpt as the engine does: at "=", and in the old form at ":".
func cutOption(opt string) (name, value string, found bool) {
	if name, value, found = strings.Cut(opt, "="); found {
		return name, value, true
	}
	return strings.Cut(opt, ":")
}

// noNewPrivs is what a container's SecurityOpt says of no-new-privileges.
type noNewPrivs struct {
	On     bool     // the last entry, which the engine follows, turns it on
	Off    bool     // the last entry turns it off: somebody meant it
	Others []string // the entries about other things, in order
}

// parseNoNewPrivs reads every form the engine takes: bare, :true, =true, :false, =0 and so on.
func parseNoNewPrivs(opts []string) noNewPrivs {
	n := noNewPrivs{Others: []string{}}
	for _, opt := range opts {
		name, value, found := cutOption(opt)
		if name != optNoNewPrivileges {
			n.Others = append(n.Others, opt)
			continue
		}
		on, err := true, error(nil)
		if found {
			on, err = strconv.ParseBool(value)
		}
		if err == nil {
			n.On, n.Off = on, !on
		}
	}
	return n
}

// withNoNewPrivs is SecurityOpt with the option on: once, and in the form that every judge reads.
func withNoNewPrivs(n noNewPrivs) []string {
	return append(slices.Clone(n.Others), optNoNewPrivileges+":true")
}

// seccompUnconfined reports whether an entry turns the system call filter off.
func seccompUnconfined(opt string) bool {
	name, value, _ := cutOption(opt)
	return name == "seccomp" && value == "unconfined"
}
