package host

import (
	"os"
	"strings"
	"testing"
)

func TestHereRunsContainers(t *testing.T) {
	h := Here(t)
	if got := h.Docker(t, "run", "--rm", h.Image(t, "busybox"), "id", "-u"); got != "0" {
		t.Errorf("id -u in a container: %q, want 0", got)
	}
	if data, err := os.ReadFile(DaemonJSON); err != nil || string(data) != "{}\n" {
		t.Errorf("daemon.json: %q, %v", data, err)
	}
	if got := h.Exec(t, "cat", "/proc/1/comm"); got != "sh" {
		t.Errorf("PID 1 is %q, want sh", got)
	}
	if _, err := h.Client(t).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if got := h.Docker(t, "info", "-f", "{{.Driver}} {{.CgroupDriver}}"); !strings.HasPrefix(got, "overlay2 ") {
		t.Errorf("storage driver: %q", got)
	}
}
