package docker

import (
	"slices"

	"docker-harden/plan/control"
)

const optNoNewPrivileges = control.OptNoNewPrivileges

// withNoNewPrivs is SecurityOpt with the option on: once, and in the form that every judge reads.
func withNoNewPrivs(n control.NoNewPrivs) []string {
	return append(slices.Clone(n.Others), optNoNewPrivileges+":true")
}

// seccompUnconfined reports whether an entry turns the system call filter off.
func seccompUnconfined(opt string) bool {
	name, value, _ := control.CutOption(opt)
	return name == "seccomp" && value == "unconfined"
}
