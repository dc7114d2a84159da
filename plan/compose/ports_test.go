package compose

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func published(c inventory.Container, ports string) inventory.Container {
	c.Raw = json.RawMessage(`{"HostConfig":{"PortBindings":` + ports + `}}`)
	return c
}

func portWish(inside, ip, number, setting, to string) plan.Change {
	p := plan.Port{Inside: inside, PortBinding: plan.PortBinding{HostIP: ip, HostPort: number}}
	return plan.Change{Path: plan.PortPath(p, setting), To: json.RawMessage(to)}
}

// All ports of a service are written: those that stay too, and none of the old ones.
func TestPorts(t *testing.T) {
	const ports = `{"80/tcp":[{"HostIp":"","HostPort":"80"}],"53/udp":[{"HostIp":"0.0.0.0","HostPort":"53"},{"HostIp":"::","HostPort":"53"}],"9090/tcp":[{"HostIp":"","HostPort":"9090"}],"443/tcp":[{"HostIp":"::1","HostPort":""}]}`
	changes := []plan.Change{
		portWish("80/tcp", "", "80", plan.PortAddress, `"127.0.0.1"`), portWish("80/tcp", "", "80", plan.PortNumber, `"8080"`),
		portWish("53/udp", "0.0.0.0", "53", plan.PortAddress, `"192.0.2.7"`), portWish("53/udp", "::", "53", plan.PortAddress, `"192.0.2.7"`),
		portWish("9090/tcp", "", "9090", plan.PortPublished, `false`),
	}
	web := published(member("shop-web-1", "shop", "web"), ports)
	o := one(t, hostWith(web), step(web, changes...))
	const want = `  web:
    ports: !override
    - '[::1]::443/tcp'
    - 192.0.2.7:53:53/udp
    - 127.0.0.1:8080:80/tcp
`
	if got := strings.ReplaceAll(text(t, o, "x"), `"`, "'"); !strings.Contains(got, want) || !o.Tagged || len(o.Left) > 0 {
		t.Errorf("tagged %t, left %q\n%s", o.Tagged, o.Left, got)
	}
	old := published(member("shop-web-1", "shop", "web", inventory.ComposeVersion, "1.29.2"), ports)
	o = one(t, hostWith(old), step(old, changes...))
	if left := strings.Join(o.Left, "; "); !strings.Contains(left, `write ports: ["[::1]::443/tcp", "192.0.2.7:53:53/udp", "127.0.0.1:8080:80/tcp"] in place of`) || o.Tagged {
		t.Errorf("an old Compose: tagged %t, left %q", o.Tagged, left)
	}
	if got := text(t, o, "x"); strings.Contains(got, "ports: !override") {
		t.Error(got)
	}
	none := published(member("shop-web-1", "shop", "web"), `{"9090/tcp":[{"HostIp":"","HostPort":"9090"}]}`)
	if got := text(t, one(t, hostWith(none), step(none, changes[4])), "x"); !strings.Contains(got, "ports: !reset []\n") {
		t.Error(got)
	}
}

func TestPortsThatDiffer(t *testing.T) {
	one1 := published(member("shop-web-1", "shop", "web"), `{"80/tcp":[{"HostIp":"","HostPort":"80"}]}`)
	two := published(member("shop-web-2", "shop", "web"), `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"81"}]}`)
	o := one(t, hostWith(one1, two), step(one1, portWish("80/tcp", "", "80", plan.PortAddress, `"127.0.0.1"`)))
	if left := strings.Join(o.Left, "; "); !strings.Contains(left, "web: ports: its containers would not agree") {
		t.Error(left)
	}
	gone := published(member("shop-web-1", "shop", "web"), `{}`)
	o = one(t, hostWith(gone), step(gone, portWish("80/tcp", "", "80", plan.PortAddress, `"127.0.0.1"`)))
	if left := strings.Join(o.Left, "; "); !strings.Contains(left, "cannot be read") {
		t.Error(left)
	}
}
