package profile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
)

func TestParamsFor(t *testing.T) {
	p, err := Load([]byte(header(`controls:
  capabilities: {params: {drop: [MKNOD]}}
  icc: {}
containers:
- {match: "shop-*", controls: {capabilities: {params: {keep: [A]}}, icc: off}}
- {match: "shop-web", controls: {capabilities: {params: {keep: [B]}}, icc: {}}}
- {match: "job-?", controls: {capabilities: off}}
`)), "t.yaml", testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		control, container string
		want               Params
		on                 bool
	}{
		{"docker/capabilities", "", Params{"drop": []string{"MKNOD"}, "keep": []string{}}, true},
		{"docker/capabilities", "other", Params{"drop": []string{"MKNOD"}, "keep": []string{}}, true},
		{"docker/capabilities", "shop-db", Params{"drop": []string{"MKNOD"}, "keep": []string{"A"}}, true},
		{"docker/capabilities", "shop-web", Params{"drop": []string{"MKNOD"}, "keep": []string{"B"}}, true},
		{"docker/capabilities", "job-1", Params{"drop": []string{"MKNOD"}, "keep": []string{}}, false},
		{"docker/capabilities", "job-11", Params{"drop": []string{"MKNOD"}, "keep": []string{}}, true},
		{"docker/icc", "shop-db", Params{}, false},
		{"docker/icc", "shop-web", Params{}, true},
		{"docker/icc", "", Params{}, true},
		{"docker/log-level", "", Params{"level": "info"}, false},
		{"docker/log-level", "shop-web", Params{"level": "info"}, false},
	}
	for _, tt := range tests {
		got, on := p.ParamsFor(tt.control, tt.container, testCatalog()[tt.control])
		if diff := cmp.Diff(tt.want, got); diff != "" || on != tt.on {
			t.Errorf("%s on %q: on %v, want %v\n%s", tt.control, tt.container, on, tt.on, diff)
		}
	}
	got, _ := p.ParamsFor("docker/capabilities", "", testCatalog()["docker/capabilities"])
	got.List("drop")[0] = "changed"
	if again, _ := p.ParamsFor("docker/capabilities", "", nil); again.List("drop")[0] != "MKNOD" {
		t.Error("a caller can change the profile")
	}
}

func TestExceptionFor(t *testing.T) {
	p, err := Load([]byte(header(`controls: {icc: {}}
exceptions:
- {control: icc, target: "container/web-*", reason: old, owner: o, expires: 2026-01-31}
- {control: icc, target: "container/web-1", reason: new, owner: o, expires: 2026-06-30}
- {control: icc, target: "container/web-9", reason: always, owner: o}
- {control: one/same, target: "host/etc/docker/daemon.json", reason: file, owner: o}
- {control: two/same, target: host, reason: files, owner: o, expires: 2026-01-31}
`)), "t.yaml", testCatalog())
	if err != nil {
		t.Fatal(err)
	}
	january := time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC)
	february := january.Add(time.Second)
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		control string
		r       plan.Resource
		now     time.Time
		want    string
		expired bool
	}{
		"holds to the end of the day":     {"docker/icc", plan.Container("web-2", "x"), january, "old", false},
		"and not a second longer":         {"docker/icc", plan.Container("web-2", "x"), february, "old", true},
		"the day ends in UTC":             {"docker/icc", plan.Container("web-2", "x"), february.In(time.FixedZone("west", -8*3600)), "old", true},
		"first match wins":                {"docker/icc", plan.Container("web-1", "x"), january, "old", false},
		"an expired one does not hide":    {"docker/icc", plan.Container("web-1", "x"), february, "new", false},
		"the first of several expired":    {"docker/icc", plan.Container("web-1", "x"), july, "old", true},
		"never expires":                   {"docker/icc", plan.Container("web-9", "x"), july, "always", false},
		"other container":                 {"docker/icc", plan.Container("db", "x"), january, "", false},
		"other control":                   {"docker/log-level", plan.Container("web-1", "x"), january, "", false},
		"a file":                          {"one/same", plan.File("/etc/docker/daemon.json"), july, "file", false},
		"another file":                    {"one/same", plan.File("/etc/docker/key.json"), july, "", false},
		"every file":                      {"two/same", plan.File("/etc/docker/key.json"), january, "files", false},
		"a container named like a daemon": {"docker/icc", plan.Daemon(), january, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e, expired := p.ExceptionFor(tt.control, tt.r, tt.now)
			got := ""
			if e != nil {
				got = e.Reason
			}
			if got != tt.want || expired != tt.expired {
				t.Errorf("got %q expired %v, want %q expired %v", got, expired, tt.want, tt.expired)
			}
		})
	}
}
