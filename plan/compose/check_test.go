package compose

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// checking is the change of a container that nothing checks.
func checking(from string) plan.Change {
	return plan.Change{
		Path: plan.HealthcheckPath, From: json.RawMessage(from),
		To: json.RawMessage(`{"Test":["CMD-SHELL","test $n = 1"],"Interval":30000000000,"Timeout":90000000000,"StartPeriod":1500000000,"StartInterval":1000000,"Retries":3}`),
	}
}

// A check that the project's file turns off is turned on again, where Compose takes that.
func TestCheckThatWasTurnedOff(t *testing.T) {
	for version, want := range map[string]struct{ text, left string }{
		"2.26.1": {"disable: false", ""},
		"1.29.2": {"retries: 3", "docker-compose 1.x refuses a test beside disable"},
	} {
		web := member("shop-web-1", "shop", "web", inventory.ComposeVersion, version)
		o := one(t, hostWith(web), step(web, checking(`{"Test":["NONE"]}`)))
		if got := text(t, o, "x"); !strings.Contains(got, want.text) || strings.Contains(strings.Join(o.Left, "; "), want.left) == (want.left == "") && len(o.Left) > 0 {
			t.Errorf("%s: left %q\n%s", version, o.Left, got)
		}
	}
	web := member("shop-web-1", "shop", "web")
	odd := checking("null")
	odd.To = json.RawMessage(`{"Test":[]}`)
	if o := one(t, hostWith(web), step(web, odd)); len(o.Left) != 1 || !strings.Contains(o.Left[0], "not known") {
		t.Errorf("%q", o.Left)
	}
}
