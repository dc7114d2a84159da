package main

import (
	"encoding/json"
	"slices"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// auditedHost has /etc/docker watched as it is told, and a rules file if a hash is given.
func auditedHost(sum string, loaded, lasting bool) *inventory.Host {
	rule := inventory.AuditRule{Path: "/etc/docker", Dir: true, Access: "wa"}
	a := &inventory.Audit{Places: []inventory.AuditPlace{{Part: inventory.AuditConfigDir, Path: "/etc/docker", Exists: true, Dir: true}}}
	if loaded {
		a.Loaded = []inventory.AuditRule{rule}
	}
	if lasting {
		a.Lasting = []inventory.AuditRule{rule}
	}
	file := inventory.File{Path: inventory.AuditRulesFile, Exists: sum != "", SHA256: sum}
	return &inventory.Host{Audit: a, Files: map[string]inventory.File{inventory.AuditRulesFile: file}}
}

func TestDriftOfAuditRules(t *testing.T) {
	file := plan.File(inventory.AuditRulesFile)
	basis, ok := auditedHost("", false, false).Basis(file)
	if !ok {
		t.Fatal("no basis")
	}
	line := inventory.AuditLine("/etc/docker")
	step := plan.Step{ID: file.String(), Kind: plan.KindAudit, Resource: file, Basis: basis, Changes: []plan.Change{
		{Path: line, From: json.RawMessage(`[]`), To: json.RawMessage(`["file","kernel"]`), Kind: plan.KindAudit},
	}}
	unread := auditedHost("a", true, true)
	unread.Audit.Problem = "operation not permitted"
	for name, c := range map[string]struct {
		now  *inventory.Host
		want string // empty: no drift
	}{
		"as applied":              {auditedHost("a", true, true), ""},
		"in another file":         {auditedHost("", true, true), ""},
		"taken out of the kernel": {auditedHost("a", false, true), line + ` is ["file"], the apply had set it to ["file","kernel"]`},
		"lost at the next boot":   {auditedHost("", true, false), line + ` is ["kernel"], the apply had set it to ["file","kernel"]`},
		"gone":                    {auditedHost("", false, false), line + ` is [], the apply had set it to ["file","kernel"]`},
		"not to be seen":          {unread, "is gone, or could not be read"},
	} {
		got := []string{}
		for _, d := range driftOfStep(step, c.now) {
			got = append(got, d.What)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
