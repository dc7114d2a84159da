package casetest

import (
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

const argv = "tr '\\0' ' ' </proc/1/cmdline"

// images are built from a sample image, for what belongs to an image: its entrypoint, its own settings.
func images(s *stage) {
	build(s, "entry", `ENTRYPOINT ["/bin/false"]`, `CMD ["unused"]`)
	build(s, "commanded", `ENTRYPOINT ["/bin/false"]`, `CMD ["sh","-c","`+asleep+`"]`)
	build(s, "settings", "ENV A=image B=image", "LABEL a=image b=image", `HEALTHCHECK CMD ["false"]`, "EXPOSE 99", "WORKDIR /work", "USER 1000")
	build(s, "moving", "LABEL moved=no")
}

func build(s *stage, tag string, lines ...string) {
	s.Helper()
	script := []string{"-c", `printf '%s\n' "$@" | docker build -q -t "$0" -`, tag + ":1", "FROM " + s.h.Image(s.T, "busybox")}
	s.h.Exec(s.T, "sh", append(script, lines...)...)
}

func TestProcesses(t *testing.T) {
	play(t, []scene{
		{
			Row:  row.Row{ID: "35", Case: "--entrypoint \"\" over an image with an entrypoint", Apply: "same command line", Rollback: "same command line"},
			name: "noentry", image: "entry:1", args: []string{"--entrypoint", ""}, cmd: []string{"sh", "-c", asleep},
			inside: argv, shows: "{{.Path}} {{json .Args}} {{json .Config.Entrypoint}}",
		},
		{
			Row:  row.Row{ID: "36", Case: "entrypoint overridden, command as in the image", Apply: "command kept", Rollback: "command kept"},
			name: "otherentry", image: "commanded:1", args: []string{"--entrypoint", "env"}, cmd: []string{"sh", "-c", asleep},
			inside: argv, shows: "{{.Path}} {{json .Args}} {{json .Config.Cmd}}",
		},
		{
			Row:  row.Row{ID: "37", Case: "environment, labels, health check and user over those of the image", Apply: "equal", Rollback: "equal"},
			name: "settings", image: "settings:1", cmd: []string{"sh", "-c", asleep},
			args:   []string{"-e", "A=mine", "-e", "B=", "-e", "C=x=y", "-l", "a=mine", "-l", "empty=", "--no-healthcheck", "-u", "1001:5", "-w", "/tmp"},
			inside: "tr '\\0' '\\n' </proc/1/environ | grep '^[ABC]=' ; id; pwd",
		},
		{
			Row:  row.Row{ID: "37", Case: "health check of one's own", Apply: "equal and healthy again", Rollback: "equal and healthy again"},
			name: "healthy", image: "settings:1", cmd: []string{"sh", "-c", asleep},
			args:  []string{"--health-cmd", "true", "--health-interval", "200ms", "--health-retries", "5"},
			ready: healthy, after: healthy, back: healthy,
		},
		{
			Row:  row.Row{ID: "38", Case: "the tag has moved to another image", Apply: "same image, by its id; the plan said so", Rollback: "image and tag as before"},
			name: "moved", image: "moving:1", cmd: []string{"sh", "-c", asleep}, other: []string{"Config.Image"}, shows: "{{.Image}}",
			ready: func(s *stage) {
				s.h.Exec(s.T, "sh", "-c", `printf 'FROM %s\nLABEL moved=yes\n' `+s.h.Image(s.T, "busybox")+` | docker build -q -t moving:1 -`)
				says(s, "moving:1 names another image now")
			},
			after: func(s *stage) { s.want("{{.Config.Image}}", s.show("{{.Image}}")) },
			back:  func(s *stage) { s.want("{{.Config.Image}}", "moving:1") },
		},
		{
			Row:  row.Row{ID: "42", Case: "stop signal INT and a long stop timeout", Apply: "the signal is sent, the end is waited for, nothing is killed", Rollback: "likewise"},
			name: "stopslow", args: []string{"--stop-signal", "INT", "--stop-timeout", "300", "-v", "stopped:/data"}, other: named,
			cmd:   []string{"sh", "-c", "trap 'sleep 1; echo ended >>/data/end; exit' INT; trap 'echo term >>/data/end' TERM; sleep 2147483647 & while :; do wait; done"},
			ready: func(s *stage) { says(s, "up to 300 s to stop") },
			after: func(s *stage) { ended(s, "ended") }, back: func(s *stage) { ended(s, "ended\nended") },
		},
	}, images)
}

func ended(s *stage, want string) {
	s.Helper()
	if got := s.sh("cat /data/end"); got != want {
		s.Errorf("the stopped containers wrote %q, want %q", got, want)
	}
}

func healthy(s *stage) {
	s.Helper()
	eventually(s.T, "it is healthy", func() bool { return s.show("{{.State.Health.Status}}") == "healthy" })
}

// kitchenSink are settings that have no rule of their own: they only have to be there again.
var kitchenSink = []string{
	"--ulimit", "nofile=100:200", "--dns", "10.0.0.1", "--dns-search", "x.example", "--dns-option", "ndots:2", "--add-host", "h:10.0.0.2",
	"--group-add", "5", "--group-add", "29", "--oom-score-adj", "10", "--init", "--shm-size", "1m", "--sysctl", "net.ipv4.ip_forward=0",
	"--device", "/dev/null:/dev/mynull:r", "--device-cgroup-rule", "c 1:5 r", "--log-opt", "max-size=1m", "-m", "64m", "--memory-reservation", "32m",
	"--memory-swap", "96m", "--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0", "--pids-limit", "50", "--ipc", "private", "--cgroupns", "private",
}

func TestEverythingElse(t *testing.T) {
	const equal = "equal inspect answer"
	gpu := `{"HostConfig":{"DeviceRequests":[{"Driver":"","Count":-1,"DeviceIDs":null,"Capabilities":[["gpu"]],"Options":{}}],"CgroupParent":"/cases","BlkioWeight":0}}`
	play(t, []scene{
		{
			Row:  row.Row{ID: "62", Case: "ulimits, devices, sysctls, init, groups, limits, DNS, log options", Apply: equal, Rollback: equal},
			name: "sink", args: kitchenSink, inside: "cat /etc/resolv.conf; id; grep files /proc/1/limits; ls -l /dev/mynull | cut -c1-10; cat /proc/1/comm; cat /proc/sys/net/ipv4/ip_forward",
		},
		{
			Row:  row.Row{ID: "62", Case: "GPU request and control group parent (no GPU here: created, not started)", Apply: equal, Rollback: equal},
			name: "gpu", made: true, own: gpu, shows: "{{json .HostConfig.DeviceRequests}} {{.HostConfig.CgroupParent}}",
		},
		{
			Row:  row.Row{ID: "62", Case: "a runtime of its own", Apply: equal, Rollback: equal},
			name: "runtime", args: []string{"--runtime", "other"}, shows: "{{.HostConfig.Runtime}}",
		},
		{
			Row:  row.Row{ID: "62", Case: "devices that this machine may not give out (created, not started)", Apply: equal, Rollback: equal},
			name: "devices", made: true, args: []string{"--device", "/dev/kmsg", "--cap-add", "SYS_RESOURCE", "--pid", "host", "--ipc", "host", "--userns", "host"},
			changes: []plan.Change{change("CapDrop", "null", `["CAP_MKNOD"]`)},
		},
	}, func(s *stage) {
		s.h.WriteDaemonJSON(s.T, `{"runtimes": {"other": {"path": "`+s.h.Exec(s.T, "sh", "-c", "command -v runc")+`"}}}`)
		s.h.Restart(s.T)
	})
}

// An image that somebody removed is needed for a new container.
func TestImageRemoved(t *testing.T) {
	record(t, row.Row{ID: "39", Case: "the image was removed", Apply: "refused, by the plan too; the container is left alone"})
	h := host.Here(t)
	s := &stage{T: t, h: h, name: "web"}
	build(s, "lost", "LABEL lost=yes")
	h.Docker(t, "create", "--name", "web", "lost:1")
	h.Docker(t, "rmi", "-f", h.Docker(t, "inspect", "-f", "{{.Image}}", "web"))
	refused(t, h, recreator(t, h), step(t, h, "web", hardened()...), "no longer exists")
	blocked(t, h, "web", "is gone: a new container cannot be made from it")
	if got := h.Docker(t, "inspect", "-f", "{{.State.Status}}", "web"); !strings.Contains(got, "created") {
		t.Errorf("it is %s", got)
	}
}
