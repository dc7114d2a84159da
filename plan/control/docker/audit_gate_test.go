package docker

import (
	"encoding/json"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// A plan that somebody edited may bring no rule, no place and no file that no control would choose.
func TestEditedAuditChangesAreRefused(t *testing.T) {
	host := func() *inventory.Host {
		return &inventory.Host{Audit: &inventory.Audit{Places: []inventory.AuditPlace{
			{Part: inventory.AuditConfigDir, Path: "/etc/docker", Exists: true, Dir: true},
			{Part: inventory.AuditDefaults, Path: "/etc/default/docker", Problem: "permission denied"},
		}}}
	}
	change := func(edit func(*plan.Change)) plan.Change {
		c := plan.Change{Path: inventory.AuditLine("/etc/docker"), From: json.RawMessage(`["file"]`), To: json.RawMessage(`["file","kernel"]`), Kind: plan.KindAudit}
		edit(&c)
		return c
	}
	asked := change(func(*plan.Change) {})
	if !Changes(plan.ResourceFile, asked.Path) || !ChangesFile(host(), inventory.AuditRulesFile, asked) {
		t.Error("the change that the control asks for is refused")
	}
	for name, edit := range map[string]func(*plan.Change){
		"another path":             func(c *plan.Change) { c.Path = inventory.AuditLine("/etc/shadow") },
		"a place not looked at":    func(c *plan.Change) { c.Path = inventory.AuditLine("/etc/default/docker") },
		"another access":           func(c *plan.Change) { c.Path = "-w /etc/docker -p r -k docker" },
		"a rule that silences":     func(c *plan.Change) { c.Path = "-a never,task" },
		"out of the kernel":        func(c *plan.Change) { c.To = json.RawMessage(`["file"]`) },
		"nowhere":                  func(c *plan.Change) { c.To = json.RawMessage(`[]`) },
		"from somewhere else":      func(c *plan.Change) { c.From = json.RawMessage(`["moon"]`) },
		"from where it belongs":    func(c *plan.Change) { c.From = json.RawMessage(`["file","kernel"]`) },
		"no list":                  func(c *plan.Change) { c.To = json.RawMessage(`"file"`) },
		"another kind":             func(c *plan.Change) { c.Kind = plan.KindFile },
		"the mode of the file":     func(c *plan.Change) { c.Path, c.To = "mode", json.RawMessage(`"0777"`) },
		"two rules in one":         func(c *plan.Change) { c.Path = inventory.AuditLine("/etc/docker\n-D") },
		"an option behind the key": func(c *plan.Change) { c.Path += " -S all" },
	} {
		if ChangesFile(host(), inventory.AuditRulesFile, change(edit)) {
			t.Errorf("%s: it may be changed", name)
		}
	}
	if ChangesFile(host(), "/etc/audit/rules.d/10-other.rules", asked) || ChangesFile(&inventory.Host{}, inventory.AuditRulesFile, asked) {
		t.Error("another file, or a host whose audit was not looked at, may be changed")
	}
	held := host()
	held.Audit.Held = "it is reached through a link"
	if ChangesFile(held, inventory.AuditRulesFile, asked) {
		t.Error("a file that must not be written may be changed")
	}
}
