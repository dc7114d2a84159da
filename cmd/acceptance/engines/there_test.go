//go:build engines

package engines

import (
	"os"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
)

// varied makes the containers of a real host, some of which need a newer engine or are treated differently
// by one.
func varied(o *operator) {
	o.docker("network", "create", "--subnet", "10.90.1.0/24", "front")
	o.docker("network", "create", "--subnet", "10.90.2.0/24", "back")
	o.busybox("default")
	o.busybox("limited", "--memory", "64m", "--memory-swap", "128m", "--restart", "unless-stopped")
	o.busybox("powerful", "--privileged")
	o.busybox("hostnet", "--network", "host")
	o.busybox("readonly", "--read-only", "--tmpfs", "/tmp")
	o.busybox("twonets", "--network", "front", "--ip", "10.90.1.10", "--network-alias", "db")
	o.docker("network", "connect", "--ip", "10.90.2.10", "--alias", "db-back", "back", "twonets")
	o.busybox("fixedmac", "--network", "front", "--ip", "10.90.1.20", "--mac-address", "02:42:0a:5a:01:99")
	o.busybox("provider", "--network", "back", "--ip", "10.90.2.20")
	o.busybox("dependent", "--network", "container:provider")
	o.docker("run", "-d", "--name", "anonvol", "--stop-signal", "KILL", o.h.Image(o.T, "anonvol"), "sleep", "3600")
	o.docker("exec", "anonvol", "sh", "-c", "echo precious >/data/precious")
	o.busybox("written")
	o.docker("exec", "written", "sh", "-c", "echo mine >/root-file; mkdir /d; echo x >/d/x; chmod 4711 /d/x; rm /etc/group")
}

// What people run goes to the profile and comes back.
func TestEngineThereAndBack(t *testing.T) {
	r := row.Row{Table: row.Engine, ID: "containers", Case: "eleven varied containers", Apply: "applied, verified; a second plan is empty", Rollback: "equal"}
	here(t, r, func(o *operator) {
		varied(o)
		o.thereAndBack(func(p *plan.Plan) {
			changed := recreated(p)
			if len(changed) < 8 {
				o.Errorf("only %v are recreated", changed)
			}
			for _, name := range changed {
				if name != "powerful" {
					proven(o, name)
				}
			}
			if again := o.harden(0, "plan"); !strings.Contains(again, "No changes") {
				o.Error("a plan after the apply still changes something")
			}
			o.harden(0, "verify")
			holdTogether(o)
		})
		holdTogether(o)
	})
}

func recreated(p *plan.Plan) []string {
	var names []string
	for _, s := range p.Steps {
		if s.Kind == plan.KindRecreate {
			names = append(names, s.Resource.Name)
		}
	}
	return names
}

// proven reads the kernel: no new privileges, and none of what level 1 drops.
func proven(o *operator, name string) {
	o.Helper()
	const dropped = 1<<13 | 1<<27 | 1<<29 | 1<<31 // NET_RAW, MKNOD, AUDIT_WRITE, SETFCAP
	if got := status(o, name, "NoNewPrivs"); got != "1" {
		o.Errorf("%s: NoNewPrivs is %s", name, got)
	}
	var bounding uint64
	for _, digit := range status(o, name, "CapBnd") {
		bounding = bounding<<4 | uint64(strings.IndexRune("0123456789abcdef", digit))
	}
	if bounding&dropped != 0 {
		o.Errorf("%s: its bounding set is %x", name, bounding)
	}
}

// status is a line of the kernel's own view of the container's process.
func status(o *operator, name, field string) string {
	o.Helper()
	data, err := os.ReadFile("/proc/" + o.docker("inspect", "-f", "{{.State.Pid}}", name) + "/status")
	if err != nil {
		o.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if key, value, _ := strings.Cut(line, ":"); key == field {
			return strings.TrimSpace(value)
		}
	}
	o.Fatalf("the kernel shows no %s", field)
	return ""
}

// holdTogether checks what a user of these containers would notice first.
func holdTogether(o *operator) {
	o.Helper()
	for name, want := range map[string]string{
		"twonets": "10.90.1.10 10.90.2.10", "fixedmac": "10.90.1.20", "provider": "10.90.2.20",
	} {
		got := strings.Fields(o.docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", name))
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			o.Errorf("%s has the addresses %s, want %s", name, got, want)
		}
	}
	for want, command := range map[string][]string{
		"02:42:0a:5a:01:99": {"fixedmac", "cat", "/sys/class/net/eth0/address"},
		"precious":          {"anonvol", "cat", "/data/precious"},
		"mine\nx\n4711":     {"written", "sh", "-c", "cat /root-file /d/x; stat -c %a /d/x"},
	} {
		if got := o.docker(append([]string{"exec"}, command...)...); got != want {
			o.Errorf("%s shows %q, want %q", command[0], got, want)
		}
	}
	if got := o.docker("exec", "dependent", "ip", "-o", "-4", "addr"); !strings.Contains(got, "10.90.2.20/") {
		o.Errorf("the dependent is not on its provider's network: %s", got)
	}
	for alias, from := range map[string]string{"db": "fixedmac", "db-back": "provider"} {
		if got := o.docker("exec", from, "nslookup", alias); !strings.Contains(got, "10.90.") {
			o.Errorf("the alias %s is not known: %s", alias, got)
		}
	}
}

// Nobody said which capabilities the container needs, so it stays privileged and runs, while what can be had
// besides is there.
func TestEnginePrivileged(t *testing.T) {
	r := row.Row{Table: row.Engine, ID: "privileged", Case: "running privileged container", Apply: "asked about; stays privileged, no new privileges", Rollback: "equal"}
	here(t, r, func(o *operator) {
		o.busybox("powerful", "--privileged")
		capabilities := status(o, "powerful", "CapBnd")
		planned := o.harden(0, "plan", "container/powerful")
		for _, want := range []string{"docker/privileged", "Which capabilities and devices does it need?"} {
			if !strings.Contains(planned, want) {
				o.Errorf("the plan does not say %q", want)
			}
		}
		o.thereAndBack(func(*plan.Plan) {
			if got := o.docker("inspect", "-f", "{{.HostConfig.Privileged}} {{.State.Running}}", "powerful"); got != "true true" {
				o.Errorf("privileged and running: %s", got)
			}
			if got := status(o, "powerful", "CapBnd"); got != capabilities || status(o, "powerful", "NoNewPrivs") != "1" {
				o.Errorf("capabilities %s, were %s; NoNewPrivs %s", got, capabilities, status(o, "powerful", "NoNewPrivs"))
			}
		}, "container/powerful")
	})
}
