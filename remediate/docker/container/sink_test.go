package container

import (
	"encoding/json"
	"net/http"
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// sinks are containers with every setting that has a rule of its own.
var sinks = []struct {
	name    string
	verb    string
	args    []string
	changes []plan.Change
}{
	{"plain", "run", nil, hardened},
	{"everything", "run", []string{
		"--hostname", "sink.example", "--network", "front", "--ip", "10.77.0.9", "--network-alias", "www",
		"-v", "/anon", "-v", "named:/named:ro", "--mount", "type=volume,dst=/nosource", "--mount", "type=volume,src=named,dst=/mounted,volume-nocopy",
		"-v", "/tmp:/hosttmp:ro", "--volumes-from", "donor:ro", "--tmpfs", "/run:size=1m", "-e", "A=secret", "-e", "B=", "-l", "a=b", "-l", "empty=",
		"--cap-add", "NET_ADMIN", "--read-only", "-m", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "50",
		"--ulimit", "nofile=100:200", "--dns", "10.0.0.1", "--dns-search", "x.example", "--add-host", "h:10.0.0.2", "--group-add", "5", "--oom-score-adj", "10",
		"--init", "--shm-size", "1m", "--sysctl", "net.ipv4.ip_forward=0", "--device", "/dev/null:/dev/mynull:r", "--device-cgroup-rule", "c 1:5 r",
		"--log-opt", "max-size=1m", "--restart", "on-failure:3", "--stop-signal", "INT", "--stop-timeout", "3", "--health-cmd", "true", "--health-interval", "200ms",
		"-p", "127.0.0.1:8081:80", "-p", "9000-9002:90", "--ipc", "private", "--cgroupns", "private", "--userns", "host", "-w", "/work", "-u", "1000:1000",
	}, []plan.Change{change("CapDrop", "null", `["CAP_MKNOD"]`), change("PidsLimit", "50", "40")}},
	{"hostish", "run", []string{"--network", "host", "--uts", "host", "--pid", "host", "--ipc", "host"}, []plan.Change{
		change("PidMode", `"host"`, `""`), change("IpcMode", `"host"`, `"private"`), change("UTSMode", `"host"`, `""`),
	}},
	{"hostnet", "run", []string{"--network", "host"}, hardened},
	{"bridged", "run", []string{"--network", "host"}, []plan.Change{change("NetworkMode", `"host"`, `"default"`)}},
	{"unshut", "create", []string{"--privileged"}, []plan.Change{change("Privileged", "true", "false")}},
	{"linked", "run", []string{"--link", "target:ali"}, hardened},
	{"guest", "run", []string{"--network", "container:target"}, hardened},
	{"unmasked", "run", []string{"--security-opt", "systempaths=unconfined"}, []plan.Change{change("CapDrop", "null", `["CAP_MKNOD"]`)}},
	{"lonely", "run", []string{"--network", "none"}, hardened},
	{"unfiltered", "run", []string{"--security-opt", "seccomp=unconfined"}, []plan.Change{change("SecurityOpt", `["seccomp=unconfined"]`, "null")}},
}

var hardened = []plan.Change{change("SecurityOpt", "null", `["no-new-privileges:true"]`), change("CapDrop", "null", `["CAP_MKNOD"]`)}

func TestRecreateEverything(t *testing.T) {
	h := Here(t)
	image := h.Image(t, "anonvol")
	scenery(t, h)
	for _, tt := range sinks {
		t.Run(tt.name, func(t *testing.T) {
			h.Docker(t, append(append([]string{tt.verb, "--name", tt.name}, detached(tt.verb, tt.args)...), image, "sh", "-c", "trap exit INT TERM; sleep 999 & wait")...)
			if tt.name == "everything" {
				h.Docker(t, "network", "connect", "--ip", "10.78.0.9", "--alias", "api", "back", tt.name)
				eventually(t, "it is healthy", func() bool { return look(t, h, tt.name).health() == healthy })
			}
			was := remember(t, h, tt.name)
			r := recreator(t, h)
			step := stepFor(t, h, tt.name, tt.changes...)
			rec := done(t, r, step)
			undone(t, r, step, rec)
			was.isBack(t, h)
		})
	}
}

func detached(verb string, args []string) []string {
	if verb == "run" {
		return append([]string{"-d"}, args...)
	}
	return args
}

// scenery is what the containers are connected to.
func scenery(t *testing.T, h *host.Host) {
	t.Helper()
	h.Docker(t, "network", "create", "--subnet", "10.77.0.0/24", "front")
	h.Docker(t, "network", "create", "--subnet", "10.78.0.0/24", "back")
	h.Docker(t, "volume", "create", "named")
	h.Docker(t, "run", "-d", "--name", "target", h.Image(t, "busybox"))
	h.Docker(t, "run", "-d", "--name", "donor", "-v", "/donated", "-v", "/etc:/hostetc:ro", h.Image(t, "busybox"))
}

// Created through the API alone: a fixed MAC address, and a network named by its id.
func TestRecreateRawFields(t *testing.T) {
	h := Here(t)
	a, err := open(t.Context(), h.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	id := h.Docker(t, "network", "create", "front")
	in := json.RawMessage(`{"Image":"` + h.Image(t, "busybox") + `","MacAddress":"02:42:0a:00:00:99","HostConfig":{"NetworkMode":"` + id + `"}}`)
	if err := a.call(t.Context(), http.MethodPost, "/containers/create?name=web", in, nil); err != nil {
		t.Fatal(err)
	}
	h.Docker(t, "start", "web")
	was := remember(t, h, "web")
	r := recreator(t, h)
	step := hardening(t, h, "web")
	rec := done(t, r, step)
	if got := h.Docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.MacAddress}} {{end}}", "web"); got != "02:42:0a:00:00:99" {
		t.Errorf("MAC addresses: %s", got)
	}
	undone(t, r, step, rec)
	was.isBack(t, h)
}
