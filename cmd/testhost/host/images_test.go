package host

import (
	"strings"
	"testing"
	"time"
)

// settled waits until a container's first process has become user uid.
func settled(t *testing.T, h *Host, name, uid string) string {
	t.Helper()
	var status string
	for range 100 {
		pid := h.Docker(t, "inspect", "-f", "{{.State.Pid}}", name)
		if pid == "0" {
			t.Fatalf("%s ended: %s", name, h.Docker(t, "logs", name))
		}
		status = h.Exec(t, "cat", "/proc/"+pid+"/status")
		if strings.Contains(status, "Uid:\t"+uid+"\t") {
			return status
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s did not become user %s:\n%s", name, uid, status)
	return ""
}

func TestSmallImages(t *testing.T) {
	h := Here(t)
	for _, c := range []struct{ image, uid string }{
		{"busybox", "0"},
		{"nonroot", "65534"},
		{"setuid", "1000"},
		{"filecap", "65534"},
		{"suexec", "65534"},
		{"mknod", "0"},
		{"anonvol", "0"},
	} {
		t.Run(c.image, func(t *testing.T) {
			h.Docker(t, "run", "-d", "--name", c.image, h.Image(t, c.image))
			settled(t, h, c.image, c.uid)
		})
	}
	if got := h.Docker(t, "exec", "anonvol", "cat", "/data/hello"); got != "from the image" {
		t.Errorf("content of the anonymous volume: %q", got)
	}
}

// What the images are for: each breaks under one hardening measure, and says so.
func TestImagesThatNeedSomething(t *testing.T) {
	h := Here(t)
	for _, c := range []struct{ image, measure, value string }{
		{"setuid", "--security-opt", "no-new-privileges"},
		{"setuid", "--cap-drop", "SETUID"},
		{"filecap", "--cap-drop", "NET_RAW"},
		{"suexec", "--cap-drop", "SETGID"},
		{"mknod", "--cap-drop", "MKNOD"},
	} {
		t.Run(c.image+" "+c.value, func(t *testing.T) {
			out, err := h.Command(t.Context(), "timeout", "10", "docker", "run", "--rm", c.measure, c.value, h.Image(t, c.image)).CombinedOutput()
			if err == nil || len(out) == 0 {
				t.Errorf("it runs (%v) or says nothing: %s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

func TestBusyboxLoadsWithinASecond(t *testing.T) {
	h := Here(t)
	image := h.Image(t, "busybox")
	h.Docker(t, "rmi", "-f", image)
	began := time.Now()
	h.Image(t, "busybox")
	if d := time.Since(began); d > time.Second {
		t.Errorf("loading busybox from the cache took %v", d)
	}
}

func TestNginx(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "nginx", "-p", "127.0.0.1:8003:80", h.Image(t, "nginx"))
	if got := get(t, "http://127.0.0.1:8003/"); got != "ok" {
		t.Errorf("nginx answers %q", got)
	}
	if got := h.Docker(t, "top", "nginx", "-o", "pid,user,args"); !strings.Contains(got, "www-data") {
		t.Errorf("nginx has no worker of its own user:\n%s", got)
	}
}

func TestRedis(t *testing.T) {
	h := Here(t)
	h.Docker(t, "run", "-d", "--name", "redis", h.Image(t, "redis"))
	settled(t, h, "redis", "101")
	if got := h.Docker(t, "exec", "redis", "redis-cli", "set", "key", "value"); got != "OK" {
		t.Errorf("redis answers %q", got)
	}
}

func TestUnknownImage(t *testing.T) {
	_, err := (&Host{}).Load(t.Context(), "nginks")
	if err == nil || !strings.Contains(err.Error(), `"nginks"`) || !strings.Contains(err.Error(), "busybox") {
		t.Errorf("an unknown image: %v", err)
	}
}
