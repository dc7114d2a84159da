//go:build vm

package machine

import (
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
)

// Limits are set in the unified hierarchy while the container runs, and lifted again.
func TestLiveLimits(t *testing.T) {
	r := row.Row{ID: "cgroup-v2", Case: "live limits on memory, processes and CPU, cgroup v2", Apply: "in memory.max, pids.max, cpu.weight; same process", Rollback: "no limit in the kernel"}
	on(t, r, func(o *operator) {
		if got := o.sh("stat -f -c %T /sys/fs/cgroup; docker info -f '{{.CgroupVersion}} {{.CgroupDriver}}'"); got != "cgroup2fs\n2 systemd" {
			o.Fatalf("control groups: %s", got)
		}
		o.start("web", "--security-opt no-new-privileges:true --cap-drop NET_RAW --cap-drop MKNOD --cap-drop AUDIT_WRITE --cap-drop SETFCAP")
		group, pid := o.group("web"), o.inspect("web", "{{.State.Pid}}")
		o.capture("before")
		o.contains(o.harden(0, "plan container/web -o web.plan"), "Memory", "PidsLimit", "live")
		o.harden(0, "apply web.plan --yes")
		memory, pids := o.number(group+"/memory.max"), o.number(group+"/pids.max")
		if got := o.sh("docker inspect -f '{{.HostConfig.Memory}}' web"); memory < 64<<20 || o.number(group+"/memory.max") != memory || got == "0" {
			o.Errorf("memory.max is %d, the engine says %s", memory, got)
		}
		if pids < 1 {
			o.Errorf("pids.max is %d", pids)
		}
		if got := o.inspect("web", "{{.State.Pid}}"); got != pid {
			o.Errorf("the process is %s, was %s", got, pid)
		}
		o.harden(0, "verify")
		o.harden(0, "rollback --yes")
		if got := o.number(group + "/memory.max"); got != -1 {
			o.Errorf("after rollback memory.max is %d", got)
		}
		o.equal("before", "memory-limit", "pids-limit", "cpu-shares")
	})
}

// A limit below what is in use would make the kernel kill at once: it is refused, when it is planned and when
// the container has grown since.
func TestLimitBelowUse(t *testing.T) {
	r := row.Row{ID: "cgroup-v2-refused", Case: "memory limit below what the container holds, cgroup v2", Apply: "refused, nothing killed"}
	on(t, r, func(o *operator) {
		o.start("hungry", "--security-opt no-new-privileges:true --cap-drop ALL")
		o.sh("cat >" + dir + "/small.yaml <<'E'\n" + `format: docker-harden/profile/v1
name: small
extends: baseline
containers:
  - match: hungry
    controls:
      docker/memory-limit: {params: {limit: 32MiB}}
` + "E\n")
		o.contains(o.harden(0, "plan -p small.yaml container/hungry -o small.plan"), "32 MiB")
		pid, group := o.inspect("hungry", "{{.State.Pid}}"), o.group("hungry")
		o.sh("docker exec hungry dd if=/dev/zero of=/dev/shm/held bs=1M count=40 2>/dev/null")
		o.contains(o.harden(8, "apply small.plan --yes"), "would kill it")
		o.contains(o.harden(0, "plan -p small.yaml container/hungry"), "below what it needs")
		if got := o.number(group + "/memory.max"); got != -1 {
			o.Errorf("memory.max is %d", got)
		}
		if got := o.inspect("hungry", "{{.State.Pid}} {{.State.OOMKilled}}"); got != pid+" false" {
			o.Errorf("process and kill: %s, the process was %s", got, pid)
		}
		o.contains(o.sh("cat "+group+"/memory.events"), "oom_kill 0")
	})
}

// confined is AppArmor's profile of the container's process, as the kernel has it.
func (o *operator) confined(name string) string {
	o.Helper()
	return o.sh("cat /proc/" + o.inspect(name, "{{.State.Pid}}") + "/attr/current")
}

// The engine's AppArmor profile is enforced in the recreated container as it was in the old one, and in one that was
// started without it.
func TestAppArmor(t *testing.T) {
	r := row.Row{ID: "apparmor", Case: "recreate under AppArmor", Apply: "docker-default (enforce), as before; so is one that had been started without", Rollback: "each as before, equal"}
	on(t, r, func(o *operator) {
		const enforced, without = "docker-default (enforce)", "unconfined"
		o.start("web", "--restart always")
		o.start("open", "--security-opt apparmor=unconfined")
		if web, open := o.confined("web"), o.confined("open"); web != enforced || open != without {
			o.Fatalf("before: %s, and the one without: %s", web, open)
		}
		o.capture("before")
		id := o.inspect("web", "{{.Id}}")
		o.harden(0, "plan container/web container/open -o both.plan")
		o.harden(0, "apply both.plan --yes")
		if o.inspect("web", "{{.Id}}") == id {
			o.Error("the container was not recreated")
		}
		if web, open := o.confined("web"), o.confined("open"); web != enforced || open != enforced {
			o.Errorf("after: %s, and the one without: %s", web, open)
		}
		o.contains(o.sh("grep NoNewPrivs /proc/"+o.inspect("web", "{{.State.Pid}}")+"/status"), "1")
		// What the profile forbids stays forbidden.
		if _, code, err := o.m.Run(o.Context(), nil, "docker exec web sh -c 'cat /proc/kcore >/dev/null'"); err != nil || code == 0 {
			o.Errorf("reading /proc/kcore: status %d, %v", code, err)
		}
		o.harden(0, "rollback --yes")
		if web, open := o.confined("web"), o.confined("open"); web != enforced || open != without {
			o.Errorf("after rollback: %s, and the one without: %s", web, open)
		}
		o.equal("before")
	})
}

// A privileged container has every capability here. Without an answer it stays so.
func TestPrivileged(t *testing.T) {
	r := row.Row{ID: "privileged", Case: "running privileged container, every capability that the engine knows", Apply: "asked about; stays privileged, no new privileges", Rollback: "equal"}
	on(t, r, func(o *operator) {
		o.start("powerful", "--privileged")
		status := func(field string) string {
			return strings.Fields(o.sh("grep ^" + field + ": /proc/" + o.inspect("powerful", "{{.State.Pid}}") + "/status"))[1]
		}
		all := status("CapBnd") // every capability that the engine knows: 38 with 20.10
		if all != "0000003fffffffff" && all != strings.Fields(o.sh("grep ^CapBnd: /proc/1/status"))[1] {
			o.Fatalf("it has the capabilities %s", all)
		}
		o.capture("before")
		o.contains(o.harden(0, "plan container/powerful -o one.plan"), "docker/privileged", "Which capabilities and devices does it need?")
		o.harden(0, "apply one.plan --yes")
		if got := o.inspect("powerful", "{{.HostConfig.Privileged}} {{.State.Running}}"); got != "true true" || status("CapBnd") != all {
			o.Errorf("privileged and running: %s, capabilities %s of %s", got, status("CapBnd"), all)
		}
		if got := status("NoNewPrivs"); got != "1" {
			o.Errorf("NoNewPrivs is %s", got)
		}
		o.harden(0, "rollback --yes")
		o.equal("before")
	})
}

// With an answer a privileged container keeps what the answer names, and the kernel shows nothing else of its privilege.
func TestPrivilegedAnswered(t *testing.T) {
	r := row.Row{ID: "privileged-answered", Case: "running privileged container, capabilities and a device named in the profile", Apply: "exactly these in the kernel, the filter of system calls is back", Rollback: "equal"}
	on(t, r, func(o *operator) {
		o.start("powerful", "--privileged")
		status := func(field string) string {
			return strings.Fields(o.sh("grep ^" + field + ": /proc/" + o.inspect("powerful", "{{.State.Pid}}") + "/status"))[1]
		}
		all := status("CapBnd")
		o.sh(`printf '%s\n' 'format: docker-harden/profile/v1' 'name: answered' 'controls: {docker/privileged: {params: {accept: true, caps: [CHOWN, KILL, NET_ADMIN], devices: [/dev/kmsg]}}}' >` + dir + `/answered.yaml`)
		o.capture("before")
		o.harden(0, "plan container/powerful -p answered.yaml -o answered.plan")
		o.harden(0, "apply answered.plan --yes")
		if got := o.inspect("powerful", "{{.HostConfig.Privileged}} {{.State.Running}}"); got != "false true" {
			o.Errorf("privileged and running: %s", got)
		}
		// CHOWN is bit 0, KILL bit 5, NET_ADMIN bit 12.
		if bounding, filter := status("CapBnd"), status("Seccomp"); bounding != "0000000000001021" || filter != "2" {
			o.Errorf("CapBnd %s, Seccomp %s", bounding, filter)
		}
		o.contains(o.sh("docker exec powerful ls /dev"), "kmsg")
		o.harden(0, "rollback --yes")
		if status("CapBnd") != all {
			o.Errorf("after rollback it has %s of %s", status("CapBnd"), all)
		}
		o.equal("before")
	})
}
