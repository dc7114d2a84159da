//go:build engines

package container

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/remediate"
)

// newer is a host whose engine speaks API 1.44 or later; the row names its version.
func newer(t *testing.T, r row.Row) *host.Host {
	t.Helper()
	h := Here(t)
	version := h.Docker(t, "version", "-f", "{{.Server.Version}}")
	if api := apiVersion(t, h); os.Getenv(host.EngineVariable) == "" || olderAPI(api, "1.44") {
		t.Fatalf("engine %s speaks API %s; set %s to one of %q", version, api, host.EngineVariable, host.Releases())
	}
	r.Table, r.Case = row.Recreate, r.Case+" (engine "+version+")"
	row.Record(t, r)
	h.Docker(t, "network", "create", "--subnet", "10.77.0.0/24", "front")
	h.Docker(t, "network", "create", "--subnet", "10.78.0.0/24", "back")
	return h
}

// olderAPI compares versions of the same major number.
func olderAPI(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

// endpointsAsked are the networks of the create request that the undo record holds.
func endpointsAsked(t *testing.T, rec remediate.Record) map[string]map[string]any {
	t.Helper()
	r, _, err := readRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.New.Connect) > 0 {
		t.Errorf("networks are connected one by one: %+v", r.New.Connect)
	}
	var create struct {
		MacAddress       string
		NetworkingConfig struct {
			EndpointsConfig map[string]map[string]any
		}
	}
	raw, err := json.Marshal(r.New.Create)
	if err == nil {
		err = json.Unmarshal(raw, &create)
	}
	if err != nil {
		t.Fatal(err)
	}
	if create.MacAddress != "" {
		t.Errorf("the request asks for the MAC address %s the old way", create.MacAddress)
	}
	return create.NetworkingConfig.EndpointsConfig
}

// networksOf is what the engine shows of each network, as a person configured it.
func networksOf(t *testing.T, h *host.Host, name string) string {
	t.Helper()
	const one = `{{$name}} {{.IPAddress}} {{.GlobalIPv6Address}} {{json .IPAMConfig}} {{json .DriverOpts}} {{json .Aliases}}`
	got := h.Docker(t, "inspect", "-f", "{{range $name, $end := .NetworkSettings.Networks}}{{with $end}}"+one+"{{end}}\n{{end}}", name)
	return sorted(strings.TrimSpace(got))
}

// thereAndBack recreates the container, lets after look, and undoes it.
func thereAndBack(t *testing.T, h *host.Host, name string, after func(remediate.Record)) {
	t.Helper()
	was, networks := remember(t, h, name), networksOf(t, h, name)
	r := recreator(t, h)
	step := hardening(t, h, name)
	rec := done(t, r, step)
	if got := networksOf(t, h, name); got != networks {
		t.Errorf("networks of the new container:\n%s\nof the old one:\n%s", got, networks)
	}
	after(rec)
	undone(t, r, step, rec)
	was.isBack(t, h)
	if got := networksOf(t, h, name); got != networks {
		t.Errorf("networks after undo:\n%s\nbefore:\n%s", got, networks)
	}
}

func TestNewerTwoNetworksInOneCreate(t *testing.T) {
	h := newer(t, row.Row{ID: "15", Case: "two networks with fixed addresses in one create", Apply: "same addresses and aliases", Rollback: "same"})
	h.Docker(t, "create", "--name", "web", "--network", "front", "--ip", "10.77.0.9", "--network-alias", "www", h.Image(t, "busybox"))
	h.Docker(t, "network", "connect", "--ip", "10.78.0.9", "--alias", "api", "back", "web")
	h.Docker(t, "start", "web")
	thereAndBack(t, h, "web", func(rec remediate.Record) {
		if ends := endpointsAsked(t, rec); len(ends) != 2 {
			t.Errorf("the request names the networks %v", ends)
		}
		h.Docker(t, "run", "--rm", "--network", "back", h.Image(t, "busybox"), "nslookup", "api")
	})
}

func TestNewerAddressesAndOptions(t *testing.T) {
	h := newer(t, row.Row{ID: "17", Case: "fixed IPv6 address, options of the endpoint, gateway priority from API 1.48 on", Apply: "kept", Rollback: "kept"})
	h.Docker(t, "network", "create", "--ipv6", "--subnet", "10.79.0.0/24", "--subnet", "fd00:79::/64", "six")
	h.Docker(t, "create", "--name", "web", "--network", "front", h.Image(t, "busybox"))
	connect := []string{"network", "connect", "--ip", "10.79.0.17", "--ip6", "fd00:79::17", "--driver-opt", "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1"}
	priority := !olderAPI(apiVersion(t, h), "1.48")
	if priority {
		connect = append(connect, "--gw-priority", "7")
	}
	h.Docker(t, append(connect, "six", "web")...)
	h.Docker(t, "start", "web")
	thereAndBack(t, h, "web", func(rec remediate.Record) {
		if got := networksOf(t, h, "web"); !strings.Contains(got, "10.79.0.17 fd00:79::17") || !strings.Contains(got, "log_martians") {
			t.Errorf("networks: %s", got)
		}
		if got := endpointsAsked(t, rec)["six"]["GwPriority"]; priority && got != float64(7) {
			t.Errorf("the request asks for the gateway priority %v", got)
		}
		if priority && h.Docker(t, "inspect", "-f", "{{.NetworkSettings.Networks.six.GwPriority}}", "web") != "7" {
			t.Error("the new container has another gateway priority")
		}
	})
}

func TestNewerFixedMAC(t *testing.T) {
	h := newer(t, row.Row{ID: "23", Case: "MAC address asked for: a running container, one that never ran", Apply: "same", Rollback: "same"})
	const mac = "02:42:0a:4d:00:99"
	for _, verb := range []string{"run", "create"} {
		t.Run(verb, func(t *testing.T) {
			args := []string{verb, "--name", verb, "--network", "front", "--mac-address", mac}
			if verb == "run" {
				args = append(args, "-d")
			}
			h.Docker(t, append(args, h.Image(t, "busybox"))...)
			thereAndBack(t, h, verb, func(rec remediate.Record) {
				if got := endpointsAsked(t, rec)["front"]["MacAddress"]; got != mac {
					t.Errorf("the request asks for the MAC address %v", got)
				}
				if verb == "run" {
					if got := h.Docker(t, "exec", verb, "cat", "/sys/class/net/eth0/address"); got != mac {
						t.Errorf("the interface has %s", got)
					}
				}
			})
			h.Docker(t, "rm", "-f", verb)
		})
	}
}

func TestNewerMACOfTheEnginesChoice(t *testing.T) {
	h := newer(t, row.Row{ID: "24", Case: "MAC address of the engine's choice", Apply: "not asked for in the new container", Rollback: "as before"})
	h.Docker(t, "run", "-d", "--name", "web", "--network", "front", h.Image(t, "busybox"))
	h.Docker(t, "network", "connect", "back", "web")
	thereAndBack(t, h, "web", func(rec remediate.Record) {
		ends := endpointsAsked(t, rec)
		if len(ends) != 2 || slices.ContainsFunc([]string{"front", "back"}, func(n string) bool { return ends[n]["MacAddress"] != nil }) {
			t.Errorf("the request asks for %v", ends)
		}
	})
}
