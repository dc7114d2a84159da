package body

import (
	"errors"
	"slices"
	"testing"

	"docker-harden/plan"
)

func portChange(inside, ip, number, setting, from, to string) plan.Change {
	p := plan.Port{Inside: inside, PortBinding: plan.PortBinding{HostIP: ip, HostPort: number}}
	return change(plan.PortPath(p, setting), from, to)
}

// Changes of single ports make one request, in which everything else is as it was.
func TestPublish(t *testing.T) {
	src := edited(t, fixture(t, "plain", "1.41"), map[string]string{"HostConfig.PortBindings": `{"80/tcp":[{"HostIp":"","HostPort":"80"}],"81/tcp":[{"HostIp":"127.0.0.1","HostPort":"81"}],"9090/tcp":[{"HostIp":"","HostPort":""}]}`})
	changes := []plan.Change{
		portChange("80/tcp", "", "80", plan.PortAddress, `""`, `"::1"`), portChange("80/tcp", "", "80", plan.PortNumber, `"80"`, `"8080"`),
		portChange("9090/tcp", "", "", plan.PortPublished, `true`, `false`),
	}
	r, err := Build(src, changes)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"80/tcp":[{"HostIp":"::1","HostPort":"8080"}],"81/tcp":[{"HostIp":"127.0.0.1","HostPort":"81"}]}`
	if got := sent(t, r, "HostConfig.PortBindings"); got != want || !slices.Contains(r.Changed, changes[0].Path) {
		t.Errorf("%s, changed %q", got, r.Changed)
	}
	for is, right := range map[string]bool{want: true, `{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`: false} {
		now := edited(t, src, map[string]string{"HostConfig.PortBindings": is})
		found, err := Diff(src.Container, now.Container, r, "1.41")
		if differs := slices.ContainsFunc(found, func(d Difference) bool { return d.Path == "HostConfig.PortBindings" }); err != nil || differs == right {
			t.Errorf("%s: %v %v", is, found, err)
		}
	}
}

func TestPublishIsRefused(t *testing.T) {
	src := edited(t, fixture(t, "plain", "1.41"), map[string]string{"HostConfig.PortBindings": `{"80/tcp":[{"HostIp":"","HostPort":"80"}]}`})
	address := portChange("80/tcp", "", "80", plan.PortAddress, `""`, `"::1"`)
	for name, tt := range map[string]struct {
		changes []plan.Change
		stale   bool
	}{
		"a port that is not there":       {[]plan.Change{portChange("81/tcp", "", "80", plan.PortAddress, `""`, `"::1"`)}, true},
		"on another place than it is":    {[]plan.Change{portChange("80/tcp", "", "8080", plan.PortAddress, `""`, `"::1"`)}, true},
		"from another value than it has": {[]plan.Change{portChange("80/tcp", "", "80", plan.PortAddress, `"127.0.0.1"`, `"::1"`)}, false},
		"to no address":                  {[]plan.Change{portChange("80/tcp", "", "80", plan.PortAddress, `""`, `7`)}, false},
		"one by one and all at once":     {[]plan.Change{change("HostConfig.PortBindings", `{"80/tcp":[{"HostIp":"","HostPort":"80"}]}`, `{}`), address}, false},
	} {
		if _, err := Build(src, tt.changes); err == nil || errors.Is(err, ErrStale) != tt.stale {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd := edited(t, src, map[string]string{"HostConfig.PortBindings": `{"80/tcp":7}`})
	if _, err := Build(odd, []plan.Change{address}); err == nil {
		t.Error("ports that cannot be read are changed")
	}
}
