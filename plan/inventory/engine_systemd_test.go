package inventory

import (
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// Under systemd the socket is made by docker.socket. What a drop-in says of it shows before any restart, and the
// command that findings give holds through one.
func TestEngineFilesUnderSystemd(t *testing.T) {
	h := host.Start(t, host.Systemd())
	root := strings.TrimSuffix(h.Path("/"), "/")
	look := func() *Host {
		return collect(t, h.Client(t), Options{Root: root, Endpoint: h.Socket()})
	}
	socket := func(found *Host) (SocketMaker, File) {
		t.Helper()
		list := of(found.EngineFiles, "engine-socket")
		if len(list) != 1 || list[0].Socket == nil {
			t.Fatalf("%s", told(list))
		}
		return *list[0].Socket, found.Files[list[0].Resolved]
	}
	found := look()
	if got := of(found.EngineFiles, "service-unit"); len(got) == 0 || !strings.HasSuffix(got[0].Resolved, "/docker.service") {
		t.Errorf("%s", told(got))
	}
	if maker, file := socket(found); maker.Unit != "docker.socket" || maker.Mode != "0660" || maker.User != "root" || maker.Group != "docker" || maker.Is != "docker" || file.Mode != 0o660 || file.Type != TypeSocket {
		t.Errorf("%+v %+v", maker, file)
	}
	if len(found.Daemon.Passed) > 0 {
		t.Errorf("on the network: %q", found.Daemon.Passed)
	}
	h.Exec(t, "sh", "-c", `mkdir -p /etc/systemd/system/docker.socket.d && printf '[Socket]\nListenStream=127.0.0.1:23750\nListenStream=@abstract\n' > /etc/systemd/system/docker.socket.d/10-tcp.conf`)
	if got := look().Daemon.Passed; len(got) != 1 || got[0] != "127.0.0.1:23750" {
		t.Errorf("on the network: %q", got)
	}
	h.Exec(t, "rm", "/etc/systemd/system/docker.socket.d/10-tcp.conf")
	h.Exec(t, "sh", "-c", `mkdir -p /etc/systemd/system/docker.socket.d && printf '[Socket]\nSocketMode=0666\n' > /etc/systemd/system/docker.socket.d/50-open.conf && systemctl daemon-reload`)
	if maker, file := socket(look()); maker.Mode != "0666" || file.Mode != 0o660 {
		t.Errorf("with the drop-in, before a restart: %+v %+v", maker, file)
	}
	restart := "systemctl reset-failed docker.service docker.socket; systemctl stop docker.service docker.socket && systemctl start docker.socket docker.service"
	h.Exec(t, "sh", "-c", restart)
	if _, file := socket(look()); file.Mode != 0o666 {
		t.Errorf("the drop-in did not open the socket: %+v", file)
	}
	h.Exec(t, "sh", "-c", `printf '[Socket]\nSocketUser=root\nSocketGroup=docker\nSocketMode=0660\n' | install -D -m 0644 /dev/stdin /etc/systemd/system/docker.socket.d/90-owner-and-mode.conf && systemctl daemon-reload && chown root:docker /run/docker.sock && chmod 0660 /run/docker.sock`)
	for _, when := range []string{"at once", "after a restart"} {
		if maker, file := socket(look()); maker.Mode != "0660" || maker.Group != "docker" || file.Mode != 0o660 || maker.Is != "docker" {
			t.Errorf("%s: %+v %+v", when, maker, file)
		}
		h.Exec(t, "sh", "-c", restart)
	}
}
