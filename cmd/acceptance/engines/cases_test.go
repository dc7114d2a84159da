//go:build engines

package engines

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
)

// networks are those of the cases.
func networks(o *operator) {
	o.docker("network", "create", "--subnet", "10.77.0.0/24", "front")
	o.docker("network", "create", "--subnet", "10.78.0.0/24", "back")
	o.docker("network", "create", "--ipv6", "--subnet", "10.79.0.0/24", "--subnet", "fd00:79::/64", "six")
}

// api tells whether the engine speaks this minor version of API 1, or a later one.
func (o *operator) api(minor int) bool {
	o.Helper()
	var got int
	_, text, _ := strings.Cut(o.docker("version", "-f", "{{.Server.APIVersion}}"), ".")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		o.Fatal(err)
	}
	return got >= minor
}

// asked is what the rollback file says that the engine was asked for: the endpoints of the create request,
// and how many networks were connected afterwards.
func asked(o *operator) (ends map[string]map[string]any, connected int) {
	o.Helper()
	var record struct {
		Data struct {
			New struct {
				Create struct {
					MacAddress       string
					NetworkingConfig struct{ EndpointsConfig map[string]map[string]any }
				}
				Connect []any
			}
		}
	}
	file := o.h.Exec(o.T, "sh", "-c", "cat $(ls -d /var/lib/docker-harden/generations/* | sort -V | tail -n 1)/rollback.jsonl")
	for line := range strings.Lines(file) {
		if strings.Contains(line, `"kind":"prepared"`) {
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				o.Fatal(err)
			}
		}
	}
	if mac := record.Data.New.Create.MacAddress; mac != "" {
		o.Errorf("the MAC address %s is asked for the way that API 1.44 has given up", mac)
	}
	return record.Data.New.Create.NetworkingConfig.EndpointsConfig, len(record.Data.New.Connect)
}

func TestEngineTwoNetworksInOneCreate(t *testing.T) {
	r := row.Row{Table: row.Recreate, ID: "15", Case: "two networks with fixed addresses in one create", Apply: "same addresses", Rollback: "same addresses"}
	here(t, r, func(o *operator) {
		networks(o)
		o.docker("create", "--name", "web", "--stop-signal", "KILL", "--network", "front", "--ip", "10.77.0.9", "--network-alias", "www", o.h.Image(o.T, "busybox"))
		o.docker("network", "connect", "--ip", "10.78.0.9", "--alias", "api", "back", "web")
		o.docker("start", "web")
		o.thereAndBack(func(*plan.Plan) {
			if ends, connected := asked(o); len(ends) != 2 || connected != 0 {
				o.Errorf("asked for %v and %d more", ends, connected)
			}
			if got := o.docker("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}} {{.NetworkSettings.Networks.back.IPAddress}}", "web"); got != "10.77.0.9 10.78.0.9" {
				o.Errorf("addresses: %s", got)
			}
			o.docker("run", "--rm", "--network", "back", o.h.Image(o.T, "busybox"), "nslookup", "api")
		}, "container/web")
	})
}

func TestEngineAddressesAndOptions(t *testing.T) {
	r := row.Row{Table: row.Recreate, ID: "17", Case: "fixed IPv6 address, options of the endpoint, priority of the gateway (API 1.48)", Apply: "kept", Rollback: "kept"}
	here(t, r, func(o *operator) {
		networks(o)
		o.docker("create", "--name", "web", "--stop-signal", "KILL", "--network", "front", o.h.Image(o.T, "busybox"))
		connect := []string{"network", "connect", "--ip", "10.79.0.17", "--ip6", "fd00:79::17", "--driver-opt", "com.example.note=kept"}
		show := "{{with .NetworkSettings.Networks.six}}{{.IPAddress}} {{.GlobalIPv6Address}} {{json .DriverOpts}}{{end}}"
		want := `10.79.0.17 fd00:79::17 {"com.example.note":"kept"}`
		if o.api(48) {
			connect = append(connect, "--gw-priority", "7")
			show += " {{.NetworkSettings.Networks.six.GwPriority}}"
			want += " 7"
		}
		o.docker(append(connect, "six", "web")...)
		o.docker("start", "web")
		o.thereAndBack(func(*plan.Plan) {
			if got := o.docker("inspect", "-f", show, "web"); got != want {
				o.Errorf("the endpoint shows %s, want %s", got, want)
			}
		}, "container/web")
	})
}

func TestEngineFixedMAC(t *testing.T) {
	r := row.Row{Table: row.Recreate, ID: "23", Case: "MAC address asked for, API 1.44: a container that runs, one that never did", Apply: "same", Rollback: "same"}
	here(t, r, func(o *operator) {
		networks(o)
		const mac = "02:42:0a:4d:00:99"
		o.busybox("runs", "--network", "front", "--mac-address", mac)
		o.thereAndBack(func(*plan.Plan) {
			if ends, _ := asked(o); ends["front"]["MacAddress"] != mac {
				o.Errorf("asked for %v", ends)
			}
			if got := o.docker("exec", "runs", "cat", "/sys/class/net/eth0/address"); got != mac {
				o.Errorf("the interface has %s", got)
			}
		}, "container/runs")
		o.docker("rm", "-f", "runs")
		o.h.Exec(o.T, "rm", "-rf", o.file("before"), o.file("after"))
		o.docker("create", "--name", "made", "--network", "front", "--mac-address", mac, o.h.Image(o.T, "busybox"))
		o.thereAndBack(func(p *plan.Plan) {
			if changed := recreated(p); len(changed) != 1 {
				o.Errorf("%v are recreated", changed)
			}
			if ends, _ := asked(o); ends["front"]["MacAddress"] != mac {
				o.Errorf("asked for %v", ends)
			}
		}, "container/made")
	})
}

func TestEngineChoosesTheMAC(t *testing.T) {
	r := row.Row{Table: row.Recreate, ID: "24", Case: "MAC address of the engine's choice, API 1.44", Apply: "not asked for in the new container", Rollback: "as before"}
	here(t, r, func(o *operator) {
		networks(o)
		o.busybox("web", "--network", "front")
		o.docker("network", "connect", "back", "web")
		o.thereAndBack(func(*plan.Plan) {
			ends, _ := asked(o)
			if len(ends) != 2 || ends["front"]["MacAddress"] != nil || ends["back"]["MacAddress"] != nil {
				o.Errorf("asked for %v", ends)
			}
		}, "container/web")
	})
}
