package plan_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"docker-harden/plan"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain <é> ✓ 日本":        "plain <é> ✓ 日本",
		"\u009b2J":              `\u009b2J`,
		"\x7f":                  `\u007f`,
		"\u202eevil\u2066":      `\u202eevil\u2066`,
		"\U000e0041 \U0001f600": `\udb40\udc41 ` + "\U0001f600",
	} {
		document, err := json.Marshal(map[string]string{"k": in})
		if err != nil {
			t.Fatal(err)
		}
		got := string(plan.Visible(document))
		if !strings.Contains(got, `"`+strings.ReplaceAll(want, "<é>", `\u003cé\u003e`)+`"`) {
			t.Errorf("%q became %s", in, got)
		}
		var back map[string]string
		if err := json.Unmarshal([]byte(got), &back); err != nil || back["k"] != in {
			t.Errorf("%q is read back as %q, %v", in, back["k"], err)
		}
	}
}

// A plan file may be shown with cat.
func TestPlanFileIsVisible(t *testing.T) {
	p := built(t, []plan.Finding{{Control: "x", Resource: web, Status: plan.Manual, Message: "a\u009b31mb\x1b[2J\u202e"}})
	data, _, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range string(data) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("the file has %U in it", r)
		}
	}
	back, _, err := plan.Decode(data)
	if err != nil || back.Findings[0].Message != p.Findings[0].Message {
		t.Errorf("%v %q", err, back.Findings[0].Message)
	}
}
