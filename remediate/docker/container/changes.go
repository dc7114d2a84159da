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
