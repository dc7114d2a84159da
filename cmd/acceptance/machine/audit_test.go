//go:build vm

package machine

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
)

// auditd installs the audit tools in the machine, from packages that the machine of the test downloads.
func auditd(o *operator) {
	o.Helper()
	into := o.TempDir()
	get := exec.CommandContext(o.Context(), "apt-get", "download", "auditd", "libauparse0")
	get.Dir = into
	if out, err := get.CombinedOutput(); err != nil {
		o.Fatalf("cannot download auditd: %v\n%s", err, out)
	}
	files, err := filepath.Glob(into + "/*.deb")
	if err != nil || len(files) == 0 {
		o.Fatalf("no package was downloaded: %v", err)
	}
	o.sh("mkdir -p /root/audit")
	for _, file := range files {
		o.m.CopyIn(o.T, file, "/root/audit/"+strings.ReplaceAll(filepath.Base(file), "%3a", "_"))
	}
	o.sh("dpkg -i /root/audit/*.deb && systemctl start auditd && auditctl -e 1")
}

// Rules are planned, written, loaded and seen by auditctl; the boot's own way of loading them gives the same list;
// rollback leaves the list and the files as they were, also a rule that stands in no file.
func TestAuditRules(t *testing.T) {
	r := row.Row{ID: "audit", Case: "audit rules with auditd and augenrules", Apply: "in the kernel's list and in one file; events are recorded", Rollback: "list and files equal"}
	on(t, r, func(o *operator) {
		auditd(o)
		const list, file = "auditctl -l", "/etc/audit/rules.d/50-docker-harden.rules"
		o.sh("auditctl -w /home -p wa -k mine")
		was := o.sh(list)
		o.contains(o.harden(0, "plan host"+file+" -o audit.plan"), "-w /etc/docker -p wa -k docker")
		o.harden(0, "apply audit.plan --yes")
		applied := o.sh(list)
		o.contains(applied, "-w /home -p wa -k mine", "-w /etc/docker -p wa -k docker", "-w /usr/bin/dockerd -p wa -k docker", "-w /usr/sbin/runc -p wa -k docker")
		o.harden(0, "verify")
		o.sh("touch /etc/docker/probe && rm /etc/docker/probe")
		// Without a terminal it reads its input; the daemon writes its log a moment later.
		o.contains(o.sh("for i in $(seq 30); do ausearch --input-logs -k docker -f /etc/docker/probe && break; sleep 1; done"), "/etc/docker/probe")
		// As at boot: all rules are deleted, those of the files loaded. Ours are among them.
		o.sh("augenrules --load || true")
		for line := range strings.Lines(applied) {
			if strings.HasSuffix(strings.TrimSpace(line), "-k docker") {
				o.contains(o.sh(list), strings.TrimSpace(line))
			}
		}
		o.sh("auditctl -w /home -p wa -k mine")
		o.harden(0, "rollback --yes")
		if now := o.sh(list); now != was {
			o.Errorf("after rollback the kernel lists\n%s\nbefore:\n%s", now, was)
		}
		o.sh("test ! -e " + file)
	})
}
