package docker

import (
	"encoding/json"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// changeCheck is how a new container is checked, and the verdict where it runs.
func changeCheck(t *testing.T, c *inventory.Container, change plan.Change) {
	t.Helper()
	if err := json.Unmarshal(change.To, &c.Inspect.Config.Healthcheck); err != nil {
		t.Fatal(err)
	}
	if running(c) {
		c.Inspect.State.Health = &inventory.Health{Status: "healthy"}
	}
}
