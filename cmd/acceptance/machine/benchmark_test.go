//go:build vm

package machine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
)

// aside are the automatic controls that the sample cannot break, each with the reason and with what is seen instead.
// A control that is in neither the sample nor here fails the test.
func aside() map[string]struct {
	why    string
	status plan.Status
} {
	return map[string]struct {
		why    string
		status plan.Status
	}{
		"docker/icc":            {"an engine ignores it while a container runs, so it asks; it has its own run at the end, without containers", plan.Manual},
		"docker/daemon-seccomp": {"engines before 23 do not start with seccomp-profile unconfined, the one value that fails", plan.Pass},
	}
}

// spoilt is the daemon.json of the sample: every key that is changed without a question has the wrong value.
const spoilt = `{
	"labels": ["kept=as it is"],   "log-level": "debug",
    "experimental": true, "userland-proxy": true, "icc": true,
  "live-restore": false,
  "no-new-privileges" : false,
  "tls": true, "tlscacert": "/etc/docker/tls/ca.pem", "tlscert": "/etc/docker/tls/cert.pem", "tlskey": "/etc/docker/tls/key.pem"
}
`

// spoil makes the sample: the engine's settings, owner and mode of every file of the engine, and containers.
// No directory is left open to others: that alone would hold daemon.json back to a second plan.
func (o *operator) spoil() {
	o.Helper()
	o.certificates("/etc/docker/tls")
	o.put("/etc/docker/daemon.json", spoilt)
	o.put("/etc/docker/certs.d/registry.example:5000/client.key", "a key\n")
	o.put("/etc/sysconfig/docker", "OPTIONS=\n")
	o.put("/etc/containerd/config.toml", "version = 2\n")
	o.put("/etc/systemd/system/docker.socket.d/10-open.conf", "[Socket]\nSocketMode=0666\nSocketUser=nobody\nSocketGroup=nogroup\n")
	// The engine is started after that: of a file that somebody touched since, nobody knows whether it was read.
	o.sh(`set -e
		units=/usr/lib/systemd/system
		mkdir -p /srv/data
		chown nobody $units/docker.service; chmod 0664 $units/docker.service
		chown nobody $units/docker.socket; chmod 0755 $units/docker.socket
		chgrp staff /etc/docker; chmod 2755 /etc/docker
		chown nobody:staff /etc/docker/daemon.json; chmod 0755 /etc/docker/daemon.json
		chown -R nobody /etc/docker/certs.d; chmod 0755 /etc/docker/certs.d/*/client.key; chmod 2755 /etc/docker/certs.d
		chown nobody /etc/docker/tls/*.pem; chmod 0640 /etc/docker/tls/*.pem
		chown nobody /etc/default/docker /etc/sysconfig/docker; chmod 0646 /etc/default/docker /etc/sysconfig/docker
		for f in /etc/docker /etc/docker/daemon.json /etc/docker/tls/key.pem /etc/default/docker $units/docker.service; do
			setfattr -n user.origin -v "$f" $f
		done
		systemctl daemon-reload
		systemctl reset-failed docker.service docker.socket
		systemctl restart docker
		chown nobody:nogroup /run/docker.sock; chmod 0666 /run/docker.sock
		auditctl -w /home -p wa -k mine`)
	o.start("open", "--restart on-failure:9 --security-opt seccomp=unconfined --security-opt apparmor=unconfined -v /srv/data:/data:rshared")
	o.start("plain", "")
	o.start("closed", "--security-opt no-new-privileges:true --cap-drop ALL --memory 64m --memory-swap 64m --pids-limit 100 --cpu-shares 512")
	// runc writes a swap limit of zero past systemd, which lifts it whenever it reads its units, whoever has it do so.
	swap := o.group("closed") + "/memory.swap.max"
	now := o.number(swap)
	o.sh("systemctl daemon-reload")
	o.Logf("memory.swap.max was %d, and is %d after a daemon-reload", now, o.number(swap))
}

// put writes a file of the machine.
func (o *operator) put(path, content string) {
	o.Helper()
	local := filepath.Join(o.TempDir(), "file")
	if err := os.WriteFile(local, []byte(content), 0o600); err != nil {
		o.Fatal(err)
	}
	o.m.CopyIn(o.T, local, path)
}

// certificates makes a CA, a certificate of the engine and its key.
func (o *operator) certificates(dir string) {
	o.Helper()
	must := func(err error) {
		if err != nil {
			o.Fatal(err)
		}
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "our CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().AddDate(0, 0, -7), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "engine"}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	o.put(dir+"/ca.pem", encode("CERTIFICATE", caDER))
	o.put(dir+"/cert.pem", encode("CERTIFICATE", der))
	o.put(dir+"/key.pem", encode("PRIVATE KEY", secret))
}

// everything is type, owner, mode, bytes and attributes of every file in which the engine, systemd and the audit
// are configured, the engine's socket, and the kernel's audit rules.
func (o *operator) everything() []string {
	o.Helper()
	return strings.Split(o.sh(`set -e
		where="/etc /usr/lib/systemd/system"
		find $where -printf '%p %y %U:%G %m %l\n' | sort
		find $where -type f -print0 | sort -z | xargs -0 sha256sum
		find $where ! -type l -print0 | sort -z | xargs -0 getfattr -h --absolute-names -d -m - -e hex
		stat -c '%n %F %U:%G %a' /run/docker.sock
		systemctl show -p SocketUser -p SocketGroup -p SocketMode docker.socket
		auditctl -l; auditctl -s | grep enabled`), "\n")
}

// saved is a plan that the program saved in the machine.
func (o *operator) saved(name string) *plan.Plan {
	o.Helper()
	local := filepath.Join(o.TempDir(), name)
	if err := os.WriteFile(local, []byte(o.sh("cat "+dir+"/"+name)+"\n"), 0o600); err != nil {
		o.Fatal(err)
	}
	p, _, _, err := plan.ReadFile(local)
	if err != nil {
		o.Fatal(err)
	}
	return p
}

// asked are the controls that ask for a change in a plan.
func asked(p *plan.Plan) map[string]bool {
	out := map[string]bool{}
	for _, s := range p.Steps {
		for _, part := range s.Parts() {
			for _, id := range part.Controls {
				out[id] = true
			}
		}
	}
	return out
}

// verdicts are the different verdicts of a control.
func verdicts(p *plan.Plan, id string) []plan.Status {
	var out []plan.Status
	for _, f := range p.Findings {
		if f.Control == id && !slices.Contains(out, f.Status) {
			out = append(out, f.Status)
		}
	}
	return out
}

// automatic are the controls that change things without a question.
func automatic() []string {
	var out []string
	for _, c := range controls.Controls() {
		if c.Class == control.Automatic {
			out = append(out, c.ID)
		}
	}
	return out
}

// Whatever a host can have wrong that is changed without a question is wrong on this one: the default profile
// plans all of it, applies it, and then every control holds; a plan again is empty; and a rollback brings
// everything back.
func TestWholeBenchmark(t *testing.T) {
	r := row.Row{
		ID: "benchmark", Case: "every automatic control broken at once on one host with auditd, default profile",
		Apply:    "every one of them holds by its source of truth; a plan again is empty",
		Rollback: "equal: bytes, owner, mode and attributes of every file, the kernel's audit rules, every container",
	}
	on(t, r, func(o *operator) {
		auditd(o)
		o.spoil()
		o.capture("before")
		was := o.everything()

		o.harden(0, "plan -o all.plan")
		touched := asked(o.saved("all.plan"))
		for _, id := range automatic() {
			if _, known := aside()[id]; touched[id] == known {
				o.Errorf("%s: the plan changes it: %t, it is set aside: %t", id, touched[id], known)
			}
		}
		o.harden(0, "apply all.plan --yes")
		o.harden(0, "verify")
		o.contains(o.harden(0, "plan -o again.plan"), "No changes.")
		again := o.saved("again.plan")
		for _, id := range automatic() {
			want := []plan.Status{plan.Pass}
			if other, known := aside()[id]; known {
				want[0] = other.status
			}
			if got := verdicts(again, id); !slices.Equal(slices.DeleteFunc(got, func(s plan.Status) bool { return s == plan.NotApplicable }), want) {
				o.Errorf("%s: after the apply it is %v, want %v", id, got, want)
			}
		}
		o.truths()

		o.harden(0, "rollback --yes")
		if diff := cmp.Diff(was, o.everything()); diff != "" {
			o.Errorf("after the rollback (-before +now):\n%s", diff)
		}
		o.equal("before", "memory-limit", "pids-limit", "cpu-shares")
		o.alone()
	})
}

// truths are what the kernel and systemd show, without the program.
func (o *operator) truths() {
	o.Helper()
	for _, name := range []string{"open", "plain"} {
		status := o.sh("cat /proc/" + o.inspect(name, "{{.State.Pid}}") + "/status")
		o.contains(status, "NoNewPrivs:\t1", "Seccomp:\t2")
		if got := o.confined(name); got != "docker-default (enforce)" {
			o.Errorf("%s is confined by %s", name, got)
		}
		group := o.group(name)
		for _, limit := range []string{"memory.max", "pids.max"} {
			if o.number(group+"/"+limit) < 1 {
				o.Errorf("%s has no limit in %s", name, limit)
			}
		}
	}
	if mounts := o.sh("grep ' /data ' /proc/" + o.inspect("open", "{{.State.Pid}}") + "/mountinfo"); strings.Contains(mounts, "shared:") || !strings.Contains(mounts, "master:") {
		o.Errorf("the mount is still shared: %s", mounts)
	}
	want := `/etc/docker root:root 755
/etc/docker/daemon.json root:root 644
/etc/docker/tls/ca.pem root:root 400
/etc/docker/tls/key.pem root:root 400
/etc/default/docker root:root 644
/etc/sysconfig/docker root:root 644
/usr/lib/systemd/system/docker.service root:root 644
/usr/lib/systemd/system/docker.socket root:root 644
/run/docker.sock root:docker 660`
	if diff := cmp.Diff(want, o.sh("stat -c '%n %U:%G %a' /etc/docker /etc/docker/daemon.json /etc/docker/tls/ca.pem /etc/docker/tls/key.pem /etc/default/docker /etc/sysconfig/docker /usr/lib/systemd/system/docker.service /usr/lib/systemd/system/docker.socket /run/docker.sock")); diff != "" {
		o.Errorf("files (-want +got):\n%s", diff)
	}
	o.contains(o.sh("docker info -f '{{.LiveRestoreEnabled}} {{.ExperimentalBuild}} {{.Debug}}'"), "true false")
	o.contains(o.sh("auditctl -l"), "-w /home -p wa -k mine", "-w /etc/docker -p wa -k docker", "/usr/bin/dockerd", "/usr/bin/containerd ", "docker.service", "docker.socket", "/etc/sysconfig/docker")
}

// alone is the run of what an engine takes notice of only without containers.
func (o *operator) alone() {
	o.Helper()
	const allowed = `docker network inspect -f '{{index .Options "com.docker.network.bridge.enable_icc"}}' bridge`
	o.sh("docker rm -f $(docker ps -aq)")
	was := o.everything()
	o.harden(0, "plan --only docker/icc -o icc.plan")
	if !asked(o.saved("icc.plan"))["docker/icc"] {
		o.Error("without containers nothing is done about docker/icc")
	}
	o.harden(0, "apply icc.plan --yes")
	if got := o.sh(allowed); got != "false" {
		o.Errorf("the bridge's option is %q", got)
	}
	o.contains(o.harden(0, "plan --only docker/icc"), "No changes.", "1 of 1 pass")
	o.harden(0, "rollback --yes")
	if got := o.sh(allowed); got != "true" {
		o.Errorf("after the rollback the bridge's option is %q", got)
	}
	if diff := cmp.Diff(was, o.everything()); diff != "" {
		o.Errorf("after the second rollback (-before +now):\n%s", diff)
	}
}
