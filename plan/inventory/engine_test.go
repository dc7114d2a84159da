package inventory

import (
	"context"
	"encoding/json"
	"testing"

	"docker-harden/cmd/testhost/host"
)

func observe(t testing.TB, h *host.Host) *Host {
	t.Helper()
	found, err := Collect(context.Background(), h.Client(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCollectDump(t *testing.T) {
	h := host.Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "50", image, "sleep", "1000")
	h.Docker(t, "exec", "web", "sh", "-c", "echo hi > /root-file; mkdir -p /var/x; rm /bin/ping")
	found := observe(t, h)
	for i := range found.Containers {
		found.Containers[i].Raw = nil
	}
	found.Images = nil
	out, _ := json.MarshalIndent(found, "", " ")
	t.Logf("%s", out)
}
