package control

import (
	"fmt"
	"strings"

	"docker-harden/plan/inventory"
)

// composeReason is why a change of a Compose container does not last for ever.
func composeReason(c *inventory.Container) string {
	project, _, _ := strings.Cut(c.Owner.Name, "/")
	return fmt.Sprintf("undone by: docker compose up if the file of Compose project %s changes", project)
}

// composeUndo is what differs after the rollback of a recreated Compose container.
const composeUndo = "Compose would start a kept old container, so it is removed and made again: same configuration and volumes, another id"
