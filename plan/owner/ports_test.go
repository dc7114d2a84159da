package owner

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func port(inside, ip, number, setting, to string) plan.Change {
	p := plan.Port{Inside: inside, PortBinding: plan.PortBinding{HostIP: ip, HostPort: number}}
	return plan.Change{Path: plan.PortPath(p, setting), To: json.RawMessage(to)}
}

func TestPortsOfTheirOwn(t *testing.T) {
	changes := []plan.Change{
		port("80/tcp", "", "80", plan.PortAddress, `"127.0.0.1"`), port("80/tcp", "", "80", plan.PortNumber, `"8080"`),
		port("443/tcp", "0.0.0.0", "8443", plan.PortAddress, `"192.0.2.7"`), port("443/tcp", "::", "8443", plan.PortAddress, `"192.0.2.7"`),
		port("25/tcp", "", "25", plan.PortNumber, `"2525"`), port("9090/tcp", "", "9090", plan.PortPublished, `false`),
	}
	for kind, parts := range map[inventory.OwnerKind][]string{
		inventory.OwnedBySystemd: {
			"add --publish=127.0.0.1:8080:80/tcp --publish=192.0.2.7:8443:443/tcp --publish=2525:25/tcp to docker run",
			"take --publish=80:80/tcp --publish=0.0.0.0:8443:443/tcp ", ":8443:443/tcp", "--publish=9090:9090/tcp out",
		},
		inventory.OwnedBySwarm: {
			"--publish-rm 25/tcp --publish-add 'mode=host,protocol=tcp,published=2525,target=25' --publish-rm 9090/tcp web", "port 80/tcp on all addresses", "port 443/tcp on all",
		},
		inventory.OwnedByKubernetes: {`hostPort 8080 and hostIP "127.0.0.1" of port 80/tcp`, "port 9090/tcp needs no hostPort"},
	} {
		got := Reason(ownedBy(kind, "web"), changes)
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %s lacks %s", kind, got, part)
			}
		}
	}
	if got := Reason(ownedBy(inventory.OwnedBySwarm, "web"), []plan.Change{port("80/tcp", "", "80", plan.PortNumber, `7`)}); !strings.Contains(got, "no flag is known for PortBindings[80:80/tcp].HostPort") {
		t.Error(got)
	}
}
