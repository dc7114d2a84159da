package container

import (
	"slices"

	"docker-harden/plan"
)

// changeList are the changes of one step.
type changeList []plan.Change

// has reports whether a field of HostConfig is planned to change.
func (l changeList) has(field string) bool {
	return slices.ContainsFunc(l, func(c plan.Change) bool { return c.Path == "HostConfig."+field })
}

// mounts reports whether a setting of any mount is planned to change.
func (l changeList) mounts(setting string) bool {
	return slices.ContainsFunc(l, func(c plan.Change) bool {
		_, which, ok := plan.MountOf(c.Path)
		return ok && which == setting
	})
}

// secrets reports whether the value of a variable is planned to move into a file.
func (l changeList) secrets() bool {
	return slices.ContainsFunc(l, func(c plan.Change) bool {
		_, ok := plan.SecretOf(c.Path)
		return ok
	})
}

// paths are the settings that are planned to change.
func (l changeList) paths() []string {
	out := make([]string, len(l))
	for i, c := range l {
		out[i] = c.Path
	}
	return out
}
