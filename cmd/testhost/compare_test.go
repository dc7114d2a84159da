//go:build reliability

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

const compareScript = "../../fixtures/demo/compare.sh"

// compare runs the script and returns its status and everything it printed.
func compare(t *testing.T, h *host.Host, args ...string) (int, string) {
	t.Helper()
	cmd := h.Command(t.Context(), compareScript, args...)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// capture captures the host and returns the directory.
func capture(t *testing.T, h *host.Host) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "capture")
	if code, out := compare(t, h, "capture", dir); code != 0 {
		t.Fatalf("capture: status %d: %s", code, out)
	}
	return dir
}

// sampleHost is a host with varied containers, and what is captured of it.
func sampleHost(t *testing.T) (*host.Host, string) {
	t.Helper()
	h := host.Here(t)
	h.WriteDaemonJSON(t, `{"live-restore": true}`)
	h.Reload(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "network", "create", "--subnet", "10.78.0.0/24", "fixed")
	h.Docker(t, "network", "create", "loose")
	h.Docker(t, "run", "-d", "--name", "plain", "-e", "A=1", "-p", "127.0.0.1::80", image)
	h.Docker(t, "run", "-d", "--name", "two", "--network", "fixed", "--ip", "10.78.0.9", "--network-alias", "alias", image)
	h.Docker(t, "network", "connect", "loose", "two")
	h.Docker(t, "create", "--name", "created", "--memory", "64m", image)
	h.Docker(t, "run", "-d", "--name", "volume", h.Image(t, "anonvol"))
	h.Docker(t, "exec", "plain", "sh", "-c", "echo content >/etc/written")
	return h, capture(t, h)
}

func TestCompareOfAnUnchangedHost(t *testing.T) {
	h, before := sampleHost(t)
	h.Docker(t, "restart", "plain", "two", "volume")
	h.Restart(t)
	if code, out := compare(t, h, "check", before, capture(t, h)); code != 0 || !strings.Contains(out, "equal: 4 containers") {
		t.Errorf("restarts alone make a difference: status %d:\n%s", code, out)
	}
}

// Each row is one thing that a rollback might leave behind, and what the
// comparison must say about it. The host is not put back in between, so every
// row compares with a capture of its own.
func TestCompareSeesEveryDifference(t *testing.T) {
	h, before := sampleHost(t)
	whole := t // captures outlive the row that made them
	for _, row := range []struct{ name, do, want string }{
		{"bytes of daemon.json", `printf '{"live-restore":  true}' >/etc/docker/daemon.json`, "daemon.json bytes"},
		{"mode of daemon.json", `chmod 0600 /etc/docker/daemon.json`, "daemon.json mode"},
		{"owner of daemon.json", `chown 0:65534 /etc/docker/daemon.json`, "daemon.json owner"},
		{"attributes of daemon.json", `setfattr -n user.note -v x /etc/docker/daemon.json`, "daemon.json attributes"},
		{"a file beside daemon.json", `touch /etc/docker/daemon.json.orig`, "daemon.json neighbours"},
		{"daemon.json became a link", `mv /etc/docker/daemon.json /etc/docker/real; ln -s real /etc/docker/daemon.json`, "daemon.json kind"},
		{"engine", `printf '{"live-restore": true, "debug": true}' >/etc/docker/daemon.json; kill -HUP $(cat /run/docker.pid); sleep 1`, "engine Debug"},
		{"limit", `docker update -m 32m --memory-swap 64m plain`, "containers plain HostConfig Memory"},
		{"restart policy", `docker update --restart always two`, "containers two HostConfig RestartPolicy Name"},
		{"a limit that only the kernel knows", `d=/sys/fs/cgroup/pids; [ -d $d ] || d=/sys/fs/cgroup
			echo 77 >$d/docker/$(docker inspect -f '{{.Id}}' two)/pids.max`, "kernel two cgroup pids.max"},
		{"content in the writable layer", `docker exec plain sh -c 'echo changed >/etc/written'`, "layers plain"},
		{"mode in the writable layer", `docker exec plain chmod 0600 /etc/written`, "layers plain"},
		{"name", `docker rename created renamed`, "containers renamed"},
		{"stopped", `docker stop volume`, "containers volume State Running"},
		{"network", `docker network disconnect loose two`, "containers two NetworkSettings Networks loose"},
		{"another container", `docker create --name plain.new testhost/busybox true`, "containers plain.new"},
		{"another volume", `docker volume create left`, "volumes left"},
		{"another network", `docker network create left`, "networks left"},
		{"another object of the same name", `docker rm -f plain; docker run -d --name plain -e A=1 -p 127.0.0.1::80 testhost/busybox`, "containers plain Id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h.Exec(t, "sh", "-c", row.do)
			after := capture(whole, h)
			code, out := compare(t, h, "check", before, after, "memory-limit", "pids-limit", "cpu-shares")
			if code != 1 || !strings.Contains(out, "DIFFERENT  "+row.want) {
				t.Errorf("status %d, want 1 and %q:\n%s", code, row.want, out)
			}
			before = after
		})
	}
}

func TestCompareAcceptsOnlyByName(t *testing.T) {
	h, before := sampleHost(t)
	// What undoing a live limit comes to: the kernel has none again.
	const undo = `docker update -m 32m --memory-swap 64m --pids-limit 50 --cpu-shares 512 plain
		docker update -m 9223372036854771712 --memory-swap 9223372036854771712 --pids-limit -1 --cpu-shares 1024 plain`
	h.Exec(t, "sh", "-c", undo)
	after := capture(t, h)
	for _, row := range []struct {
		accept []string
		code   int
	}{
		{nil, 1},
		{[]string{"memory-limit", "pids-limit"}, 1},
		{[]string{"memory-limit", "pids-limit", "cpu-shares"}, 0},
		{[]string{"everything"}, 2},
	} {
		if code, out := compare(t, h, append([]string{"check", before, after}, row.accept...)...); code != row.code {
			t.Errorf("accepting %q: status %d, want %d:\n%s", row.accept, code, row.code, out)
		}
	}
	h.Docker(t, "update", "-m", "128m", "--memory-swap", "256m", "plain")
	code, out := compare(t, h, "check", before, capture(t, h), "memory-limit", "pids-limit", "cpu-shares")
	if code != 1 || !strings.Contains(out, "kernel plain cgroup memory") {
		t.Errorf("a real limit is accepted: status %d:\n%s", code, out)
	}
}

func TestCompareRefusesWhatItCannotSee(t *testing.T) {
	h, before := sampleHost(t)
	h.Stop(t)
	if code, out := compare(t, h, "capture", filepath.Join(t.TempDir(), "c")); code != 2 {
		t.Errorf("capture without an engine: status %d: %s", code, out)
	}
	if code, out := compare(t, h, "check", before, t.TempDir()); code != 2 {
		t.Errorf("check without a capture: status %d: %s", code, out)
	}
	if err := os.WriteFile(filepath.Join(before, "host.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := compare(t, h, "check", before, before); code < 1 {
		t.Errorf("check of a broken capture: status %d: %s", code, out)
	}
}
