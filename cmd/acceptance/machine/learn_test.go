//go:build vm

package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"docker-harden/cmd/reliability/row"
)

// A kernel without the tracepoint: checks are counted when the kernel's function returns, or, asked for, when it
// begins, what capset is asked for likewise, and learn says by itself what a container used.
func TestLearn(t *testing.T) {
	r := row.Row{ID: "learn", Case: "capabilities counted at fexit/cap_capable and at kprobe/cap_capable", Apply: "CHOWN seen with its system call and process, nothing lost"}
	on(t, r, func(o *operator) {
		const tests = "/root/trace.test"
		bin := filepath.Join(t.TempDir(), "trace.test")
		build := exec.Command("go", "test", "-c", "-o", bin, "../../../plan/evidence/trace")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("cannot build: %v\n%s", err, out)
		}
		o.m.CopyIn(t, bin, tests)
		for _, hook := range []string{"fexit/cap_capable", "kprobe/cap_capable"} {
			o.contains(o.sh("cd /root && TRACE_TEST_HOOK="+hook+" "+tests+" -test.v -test.run '^Test(Layout|Programs|Counts)$' 2>&1"), "--- PASS: TestLayout", "--- PASS: TestPrograms", "--- PASS: TestCounts")
		}
		o.sh("docker run -d --name web --stop-signal KILL " + busybox + " sh -c 'touch /tmp/own && chown 1000:1000 /tmp/own && exec sleep 100000'")
		o.contains(o.harden(0, "learn web --exercise 'docker restart web; sleep 5' -o learnt"), "CHOWN", "in chown by ")
		o.contains(o.sh("cat "+dir+"/learnt/web.evidence.json"), `"fexit/cap_capable"`)
		if got := o.sh("ls /sys/fs/bpf"); got != "" {
			o.Errorf("left in the kernel: %s", got)
		}
	})
}
