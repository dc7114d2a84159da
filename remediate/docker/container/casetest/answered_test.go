package casetest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-cmp/cmp"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
)

// answering is a profile that answers every question about the container of the scene below.
const answering = `format: docker-harden/profile/v1
name: answers
controls:
  docker/container-user: {params: {user: "1000:1000"}}
  docker/host-pid: {params: {accept: true}}
  docker/host-ipc: {params: {accept: true}}
  docker/host-uts: {params: {accept: true}}
  docker/container-cgroup: {params: {accept: true}}
  docker/devices: {params: {needed: [/dev/zero], accept: true}}
  docker/sensitive-mounts: {params: {read_only: [/etc]}}
`

// answered is a container of which everything that needs an answer is changed in one recreate.
func answered() scene {
	device := func(name string) string {
		return fmt.Sprintf(`{"PathOnHost":"/dev/%s","PathInContainer":"/dev/my%[1]s","CgroupPermissions":"rw"}`, name)
	}
	another := func(path, from, to string) plan.Change {
		return plan.Change{Path: path, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
	}
	c := scene{
		Row: row.Row{
			ID: "52", Case: "user, host namespaces (pid, ipc, uts), control group, devices and a directory of the host's system, all answered",
			Apply: "one recreate; each is so in /proc", Rollback: "each is as before in /proc, equal inspect answer",
		},
		name: "answered",
		args: []string{
			"--pid", "host", "--ipc", "host", "--uts", "host", "--cgroup-parent", "/answered", "-v", "/etc:/host/etc",
			"--device", "/dev/null:/dev/mynull:rw", "--device", "/dev/zero:/dev/myzero:rw",
		},
		changes: []plan.Change{
			another("Config.User", `""`, `"1000:1000"`), change("CgroupParent", `"/answered"`, `""`), change("Devices", "["+device("null")+","+device("zero")+"]", "["+device("zero")+"]"),
			change("IpcMode", `"host"`, `"private"`), another(plan.MountPath("/host/etc", plan.MountWritable), "true", "false"),
			change("PidMode", `"host"`, `""`), change("UTSMode", `"host"`, `""`),
		},
		// The engine adds label=disable to what shares the host's process ids or memory, and to nothing else.
		other: []string{"Mounts./host/etc", "HostConfig.Binds", "HostConfig.SecurityOpt"},
	}
	// What is tried is what a plan with these answers has.
	c.ready = func(s *stage) {
		s.inTheKernel("0", true)
		got := map[string]string{}
		for _, f := range about(findings(s.T, s.h, answering), s.name) {
			for _, ch := range f.Changes {
				got[ch.Path] = string(ch.From) + " -> " + string(ch.To)
			}
		}
		want := map[string]string{}
		for _, ch := range c.changes {
			want[ch.Path] = string(ch.From) + " -> " + string(ch.To)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.Errorf("a plan with the answers (-want +got):\n%s", diff)
		}
	}
	c.after = func(s *stage) {
		s.inTheKernel("1000", false)
		s.want("{{len .HostConfig.SecurityOpt}}", "0")
		if left := about(findings(s.T, s.h, answering), s.name); len(left) > 0 {
			s.Errorf("a plan again would change %+v", left)
		}
	}
	c.back = func(s *stage) { s.inTheKernel("0", true) }
	return c
}

// inTheKernel looks at the container's first process: its user, whether it is in the host's namespaces, its
// control group, its devices, and whether it can write to the host's directory.
func (s *stage) inTheKernel(user string, open bool) {
	s.Helper()
	pid := fmt.Sprint(inspect(s.T, s.h, s.name).of("State.Pid"))
	if got := strings.Fields(status(s.T, s.h, s.name, "Uid")); len(got) == 0 || got[0] != user {
		s.Errorf("it runs as %v, want %s", got, user)
	}
	for _, name := range []string{"pid", "ipc", "uts"} {
		own, err := os.Readlink("/proc/" + pid + "/ns/" + name)
		host, err2 := os.Readlink("/proc/1/ns/" + name)
		if err != nil || err2 != nil || (own == host) != open {
			s.Errorf("its %s namespace is %s, the host's %s, %v %v", name, own, host, err, err2)
		}
	}
	group, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil || strings.Contains(string(group), "/answered/") != open {
		s.Errorf("its control groups, %v:\n%s", err, group)
	}
	if _, err := os.Lstat("/proc/" + pid + "/root/dev/myzero"); err != nil {
		s.Errorf("the device that it needs: %v", err)
	}
	if _, err := os.Lstat("/proc/" + pid + "/root/dev/mynull"); (err == nil) != open {
		s.Errorf("the device that it does not need: %v", err)
	}
	mounts, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	if err != nil {
		s.Fatal(err)
	}
	found := false
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == "/host/etc" {
			if found = true; strings.HasPrefix(fields[5], "rw") != open {
				s.Errorf("the mount is %s", fields[5])
			}
		}
	}
	if !found {
		s.Error("nothing is mounted on /host/etc")
	}
}
