package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"docker-harden/plan"
)

func TestBuildNamesTheFirstUnobserved(t *testing.T) {
	var findings []plan.Finding
	for i := range 40 {
		findings = append(findings, plan.Finding{
			Control: "x", Resource: plan.Container(fmt.Sprintf("c%02d", i), fmt.Sprint(i)), Status: plan.Fail,
			Changes: []plan.Change{{Path: "HostConfig.Memory", From: json.RawMessage("0"), To: json.RawMessage("1"), Kind: plan.KindUpdate}},
		})
	}
	basis := func(r plan.Resource) (plan.Basis, bool) { return plan.Basis{"name": r.Name}, r.Name < "c30" }
	for range 20 {
		_, err := plan.Build(plan.Input{Findings: findings, Basis: basis})
		if err == nil || !strings.Contains(err.Error(), "container/c30 has changes but was not observed") {
			t.Fatal(err)
		}
	}
	p, err := plan.Build(plan.Input{Findings: findings[:30], Basis: basis})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if s.Basis["name"] != s.Resource.Name || s.Sees != s.Basis.Fingerprint() {
			t.Errorf("%s: %v", s.ID, s.Basis)
		}
	}
}
