package control

import (
	"regexp"

	"docker-harden/plan/inventory"
)

// keptName is how a recreate names the containers that it keeps for its rollback.
var keptName = regexp.MustCompile(`\.dh-[0-9a-f]{8,}-(old|new|aside|back)$`)

// Kept reports whether a container is kept for a rollback by this tool. It must stay exactly as it
// was, so it is not judged. One that runs is judged like any other, whatever its name.
func Kept(c *inventory.Container) bool {
	return !c.Running() && c.Problem == "" && keptName.MatchString(c.Name)
}
