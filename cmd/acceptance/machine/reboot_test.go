//go:build vm

package machine

import (
	"fmt"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
)

// services are containers that a boot brings up, on a host whose daemon.json has its own layout.
func services(o *operator) {
	o.Helper()
	o.sh(`printf '{\n\t"log-level": "warn",   "log-opts": {"max-size": "10m"}\n}\n' >/etc/docker/daemon.json
systemctl reset-failed docker.service docker.socket; systemctl restart docker
docker network create --subnet 10.90.1.0/24 front`)
	o.start("web", "--restart always --network front --ip 10.90.1.10")
	o.start("db", "--restart unless-stopped -v data:/data")
	o.sh("docker exec db sh -c 'echo precious >/data/file; echo mine >/own; sync'")
	o.capture("before")
}

// up fails unless the services run under their names, with the policies they were given, once each.
func up(o *operator) {
	o.Helper()
	o.sh(`for i in $(seq 240); do [ "$(docker ps -q | wc -l)" = 2 ] && break; sleep 1; done`)
	if got := o.sh("docker ps --format '{{.Names}}' | sort | tr '\\n' ' '"); got != "db web" {
		o.Errorf("these run: %s\n%s", got, o.sh("docker ps -a"))
	}
	if got := o.sh("docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' web db | tr '\\n' ' '"); got != "always unless-stopped" {
		o.Errorf("their restart policies are %s", got)
	}
	if got := o.sh("docker exec db cat /data/file /own"); got != "precious\nmine" {
		o.Errorf("db holds %q", got)
	}
}

// hardened fails unless the kernel shows that the services may gain no privileges.
func hardened(o *operator) {
	o.Helper()
	for _, name := range []string{"web", "db"} {
		o.contains(o.sh("grep NoNewPrivs /proc/"+o.inspect(name, "{{.State.Pid}}")+"/status"), "1")
	}
}

func TestReboot(t *testing.T) {
	r := row.Row{ID: "reboot", Case: "reboot after an apply", Apply: "services up, hardened, policies kept; status and verify agree", Rollback: "equal, also after another reboot"}
	on(t, r, func(o *operator) {
		services(o)
		o.harden(0, "plan -o host.plan")
		o.harden(0, "apply host.plan --yes")
		reboot(o)
		up(o)
		hardened(o)
		o.harden(0, "status")
		o.harden(0, "verify")
		o.contains(o.harden(0, "plan"), "No changes")
		o.harden(0, "rollback --yes")
		up(o)
		o.equal("before")
		reboot(o)
		up(o)
		o.equal("before")
	})
}

func reboot(o *operator) {
	o.Helper()
	if err := o.m.Reboot(o.Context()); err != nil {
		o.Fatal(err)
	}
}

// powerless applies the plan, stops the program at one of its crash points, and cuts the machine's power
// there: nothing that was not on the disk survives.
func powerless(o *operator, at int) {
	o.Helper()
	out := o.sh(fmt.Sprintf(`cd %s
DOCKER_HARDEN_CRASH_TRACE=%s/trace DOCKER_HARDEN_CRASH_AT=%d DOCKER_HARDEN_CRASH_HOW=stop %s apply host.plan --yes >apply.log 2>&1 &
pid=$!
while kill -0 $pid 2>/dev/null && [ "$(awk '/^State:/ {print $2}' /proc/$pid/status)" != T ]; do sleep 0.2; done
kill -0 $pid && tail -n 1 trace`, dir, dir, at, program))
	o.Logf("the power is cut at point %s", out)
	if err := o.m.Cut(o.Context()); err != nil {
		o.Fatal(err)
	}
}

// points are those of a whole apply, counted on this machine; it is rolled back.
func points(o *operator) []string {
	o.Helper()
	o.harden(0, "plan -o host.plan")
	o.sh(fmt.Sprintf("cd %s && DOCKER_HARDEN_CRASH_TRACE=%s/all %s apply host.plan --yes", dir, dir, program))
	o.harden(0, "rollback --yes")
	return strings.Split(o.sh("cut -f 2 "+dir+"/all"), "\n")
}

// The power goes in the middle of an apply: afterwards resume brings the planned state, rollback the old one.
func TestPowerCut(t *testing.T) {
	r := row.Row{ID: "power-cut", Case: "power cut in the engine's step, then in a recreate", Apply: "resume: as planned; services up once", Rollback: "rollback: equal"}
	on(t, r, func(o *operator) {
		services(o)
		all := points(o)
		o.Logf("%d points:\n%s", len(all), strings.Join(all, "\n"))
		o.equal("before")
		third, twoThirds := len(all)/3, 2*len(all)/3
		for _, at := range []int{third, twoThirds} {
			o.harden(0, "plan -o host.plan")
			powerless(o, at)
			unfinished(o)
			o.harden(0, "resume")
			up(o)
			hardened(o)
			o.contains(o.harden(0, "plan"), "No changes")
			o.harden(0, "rollback --yes")
			up(o)
			o.equal("before")

			o.harden(0, "plan -o host.plan")
			powerless(o, at)
			unfinished(o)
			o.harden(0, "rollback --yes")
			up(o)
			o.equal("before")
		}
	})
}

// unfinished: status says that work is left, and which command finishes it.
func unfinished(o *operator) {
	o.Helper()
	out, code, err := o.m.Run(o.Context(), nil, program+" status")
	if err != nil {
		o.Fatal(err)
	}
	o.Logf("# docker-harden status\n%s\nexit %d", out, code)
	if code == 0 {
		o.Error("status finds nothing to do")
	}
	o.contains(out, "resume", "rollback")
}

// Nobody confirmed before the machine was restarted: the apply is rolled back without anybody's doing.
func TestRebootBeforeConfirm(t *testing.T) {
	r := row.Row{ID: "reboot-unconfirmed", Case: "apply --confirm, and a reboot before anybody confirmed", Apply: "rolled back after the boot by itself", Rollback: "equal"}
	on(t, r, func(o *operator) {
		services(o)
		o.harden(0, "plan -o host.plan")
		o.harden(0, "apply host.plan --yes --confirm 1h")
		hardened(o)
		reboot(o)
		o.sh(`for i in $(seq 300); do
	` + program + ` history | grep -q rolled-back && exit 0
	sleep 2
done
exit 1`)
		o.harden(0, "status")
		up(o)
		o.equal("before")
	})
}
