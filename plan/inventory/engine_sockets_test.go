package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which drop-in has the last word on a setting of the socket is told only where it comes after this tool's own.
func TestLaterDropIns(t *testing.T) {
	const dir = "/etc/systemd/system/docker.socket.d/"
	for name, tc := range map[string]struct {
		files map[string]string
		want  map[string]string
	}{
		"none":      {nil, nil},
		"earlier":   {map[string]string{dir + "10-a.conf": "[Socket]\nSocketMode=0666\n"}, nil},
		"our own":   {map[string]string{SocketDropIn: "[Socket]\nSocketMode=0660\n"}, nil},
		"later":     {map[string]string{SocketDropIn: "[Socket]\nSocketMode=0660\n", dir + "override.conf": "[Socket]\nSocketMode=0666\n"}, map[string]string{"SocketMode": dir + "override.conf"}},
		"of others": {map[string]string{"/run/systemd/system/socket.d/z.conf": "[Socket]\nSocketGroup=x\n"}, map[string]string{"SocketGroup": "/run/systemd/system/socket.d/z.conf"}},
	} {
		all := map[string]string{"/usr/lib/systemd/system/docker.socket": "[Socket]\nListenStream=/run/docker.sock\nSocketMode=0666\nSocketUser=bob\n", "/etc/group": "docker:x:998:\n"}
		for file, text := range tc.files {
			all[file] = text
		}
		root := tree(t, all)
		listening(t, root, "/run/docker.sock", 0o666, 0)
		d := Daemon{Flags: map[string][]string{"hosts": {"fd://"}}}
		files, _ := root.engineFiles(&d, "/run/docker.sock")
		got := of(files, "engine-socket")
		if len(got) != 1 {
			t.Fatalf("%s: %s", name, told(got))
		}
		if diff := cmp.Diff(tc.want, got[0].Socket.Later); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got[0].Socket.DockerGID != 998 {
			t.Errorf("%s: %+v", name, got[0].Socket)
		}
	}
}
