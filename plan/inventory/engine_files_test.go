package inventory

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// told writes files as "role path" with what is to be said of each.
func told(files []EngineFile) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s %s", f.Role, f.Path)
		if f.Resolved != f.Path && f.Resolved != "" {
			fmt.Fprintf(&b, " = %s by %s", f.Resolved, strings.Join(f.Links, " "))
		}
		for _, part := range []struct{ what, text string }{{"none", f.None}, {"problem", f.Problem}, {"held", f.Held}} {
			if part.text != "" {
				fmt.Fprintf(&b, " %s: %s", part.what, part.text)
			}
		}
		if s := f.Socket; s != nil {
			fmt.Fprintf(&b, " by %q %s:%s %s, is %s%s", s.Unit, s.User, s.Group, s.Mode, s.Is, s.Problem)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// of are the files with a role that begins so.
func of(files []EngineFile, role string) []EngineFile {
	var out []EngineFile
	for _, f := range files {
		if strings.HasPrefix(string(f.Role), role) {
			out = append(out, f)
		}
	}
	return out
}

const nowhere = `service-unit  none: there is no unit docker.service
socket-unit  none: there is no unit docker.socket
config-dir /etc/docker none: there is no /etc/docker
registry-dir /etc/docker/certs.d none: there is no /etc/docker/certs.d
tls-ca  none: TLS is not configured
tls-cert  none: TLS is not configured
tls-key  none: TLS is not configured
engine-socket /var/run/docker.sock none: there is no /var/run/docker.sock by "" root:root 0660, is 
defaults /etc/default/docker none: there is no /etc/default/docker
sysconfig /etc/sysconfig/docker none: there is no /etc/sysconfig/docker
containerd-socket /var/run/docker/containerd/containerd.sock none: there is no /var/run/docker/containerd/containerd.sock by "" root:root 0660, is 
`

func TestEngineFilesOfAnEmptyHost(t *testing.T) {
	files, _ := tree(t, nil).engineFiles(&Daemon{}, "/var/run/docker.sock")
	if diff := cmp.Diff(nowhere, told(files)); diff != "" {
		t.Error(diff)
	}
}

func TestEngineFiles(t *testing.T) {
	const dir = "/etc/docker/certs.d"
	for _, tc := range []struct {
		name   string
		files  map[string]string
		daemon Daemon
		role   string
		want   string
	}{
		{
			name: "unit in /etc wins, drop-ins of every place, others are none",
			files: map[string]string{
				"/usr/lib/systemd/system/docker.service": "", "/etc/systemd/system/docker.service": "", "/lib": "-> usr/lib",
				"/etc/systemd/system/docker.service.d/b.conf": "", "/etc/systemd/system/docker.service.d/README": "",
				"/usr/lib/systemd/system/docker.service.d/a.conf": "", "/etc/systemd/system/service.d/all.conf": "",
			},
			role: "service", want: `service-unit /etc/systemd/system/docker.service
service-unit /etc/systemd/system/docker.service.d/b.conf
service-unit /usr/lib/systemd/system/docker.service.d/a.conf
`,
		},
		{
			name: "unit of the engine that runs", daemon: Daemon{Manager: "systemd", Unit: "snap.docker.service"},
			files: map[string]string{"/etc/systemd/system/snap.docker.service": "", "/etc/systemd/system/docker.socket": "", "/usr/lib/systemd/system/snap.docker.socket": ""},
			role:  "s", want: `service-unit /etc/systemd/system/snap.docker.service
socket-unit /usr/lib/systemd/system/snap.docker.socket
sysconfig /etc/sysconfig/docker none: there is no /etc/sysconfig/docker
`,
		},
		{
			name: "masked, and a link", files: map[string]string{
				"/etc/systemd/system/docker.service": "-> /dev/null", "/dev/null": "",
				"/etc/systemd/system/docker.socket": "-> /opt/units/d.socket", "/opt/units/d.socket": "",
			},
			role: "s", want: `service-unit /etc/systemd/system/docker.service = /dev/null by /etc/systemd/system/docker.service
socket-unit /etc/systemd/system/docker.socket = /opt/units/d.socket by /etc/systemd/system/docker.socket
sysconfig /etc/sysconfig/docker none: there is no /etc/sysconfig/docker
`,
		},
		{
			name: "dangling", files: map[string]string{"/etc/systemd/system/docker.service": "-> /no/where"},
			role: "service", want: "service-unit /etc/systemd/system/docker.service = /no/where by /etc/systemd/system/docker.service none: /etc/systemd/system/docker.service is a link to /no/where, which does not exist\n",
		},
		{
			name: "a loop", files: map[string]string{"/etc/default/docker": "-> docker"},
			role: "defaults", want: "defaults /etc/default/docker problem: cannot resolve /etc/default/docker: too many levels of symbolic links\n",
		},
		{
			name: "registries", files: map[string]string{
				dir + "/reg:5000/ca.crt": "", dir + "/reg:5000/client.cert": "", dir + "/reg:5000/client.key": "", dir + "/reg:5000/notes.txt": "",
				dir + "/other/ca.crt": "-> ../../common/ca.crt", dir + "/third/ca.crt": "-> /etc/docker/common/ca.crt", "/etc/docker/common/ca.crt": "",
				dir + "/README": "", dir + "/gone": "-> /no/where", dir + "/linked": "-> /srv/certs", "/srv/certs/x.crt": "",
			},
			role: "registry", want: `registry-dir /etc/docker/certs.d
registry-dir /etc/docker/certs.d/linked = /srv/certs by /etc/docker/certs.d/linked
registry-cert /etc/docker/certs.d/linked/x.crt = /srv/certs/x.crt by /etc/docker/certs.d/linked
registry-dir /etc/docker/certs.d/other
registry-cert /etc/docker/certs.d/other/ca.crt = /etc/docker/common/ca.crt by /etc/docker/certs.d/other/ca.crt
registry-dir /etc/docker/certs.d/reg:5000
registry-cert /etc/docker/certs.d/reg:5000/ca.crt
registry-cert /etc/docker/certs.d/reg:5000/client.cert
registry-key /etc/docker/certs.d/reg:5000/client.key
registry-dir /etc/docker/certs.d/third
`,
		},
		{
			name: "TLS of daemon.json and flags", files: map[string]string{"/etc/docker/ca.pem": "", "/srv/tls/key.pem": "", "/proc/70/cwd": "-> /srv"},
			daemon: Daemon{PID: 70, Keys: map[string]json.RawMessage{"tlscacert": []byte(`"/etc/docker/ca.pem"`)}, Flags: map[string][]string{"tlskey": {"/x", "tls/key.pem"}}},
			role:   "tls", want: `tls-ca /etc/docker/ca.pem
tls-cert  none: TLS is not configured
tls-key /srv/tls/key.pem
`,
		},
		{
			name: "TLS without names", files: map[string]string{"/root/.docker/key.pem": "", "/proc/70/environ": "A=1\x00"},
			daemon: Daemon{PID: 70, Keys: map[string]json.RawMessage{"tlsverify": []byte(`true`)}},
			role:   "tls", want: `tls-ca /root/.docker/ca.pem none: there is no /root/.docker/ca.pem
tls-cert /root/.docker/cert.pem none: there is no /root/.docker/cert.pem
tls-key /root/.docker/key.pem
`,
		},
		{
			name: "TLS in the place of DOCKER_CERT_PATH", files: map[string]string{"/certs/key.pem": "", "/proc/70/environ": "HOME=/h\x00DOCKER_CERT_PATH=/certs\x00"},
			daemon: Daemon{PID: 70, Flags: map[string][]string{"tls": {"true"}}},
			role:   "tls-key", want: "tls-key /certs/key.pem\n",
		},
		{
			name: "TLS turned off", daemon: Daemon{Keys: map[string]json.RawMessage{"tls": []byte(`false`)}},
			role: "tls-key", want: "tls-key  none: TLS is not configured\n",
		},
		{
			name: "daemon.json that cannot be read", daemon: Daemon{Config: File{Exists: true}, ParseError: "line 1: it is not JSON"},
			role: "tls-key", want: "tls-key  problem: daemon.json could not be read, which may name it: line 1: it is not JSON\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files, _ := tree(t, tc.files).engineFiles(&tc.daemon, "/var/run/docker.sock")
			if diff := cmp.Diff(tc.want, told(of(files, tc.role))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// listening makes a socket below a root.
func listening(t *testing.T, root hostRoot, name string, mode uint32, gid int) {
	t.Helper()
	full := root.join(name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	t.Chdir(filepath.Dir(full)) // the name of a socket is short
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Base(full)}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(full, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(full, 0, gid); err != nil {
		t.Fatal(err)
	}
}

func TestEngineSockets(t *testing.T) {
	const groups = "root:x:0:\nbroken\ndocker:x:998:bob\nstaff:x:50:\n"
	const unit = "[Socket]\nListenStream=/run/docker.sock\nSocketMode=0660\nSocketUser=root\nSocketGroup=docker\n"
	fd := map[string][]string{"hosts": {"fd://"}}
	for _, tc := range []struct {
		name   string
		files  map[string]string
		daemon Daemon
		want   string
	}{
		{name: "the engine's own", want: `by "" root:docker 0660, is staff`},
		{name: "no group docker", files: map[string]string{"/etc/group": "root:x:0:\n"}, want: `by "" root:root 0660, is `},
		{name: "no groups", files: map[string]string{"/etc/group": "-> /no/where"}, want: `by "" root:root 0660, is `},
		{name: "a group of choice", daemon: Daemon{Keys: map[string]json.RawMessage{"group": []byte(`"staff"`)}}, want: `by "" root:staff 0660, is staff`},
		{name: "a group by number", daemon: Daemon{Flags: map[string][]string{"group": {"998"}}}, want: `by "" root:docker 0660, is staff`},
		{name: "systemd's", daemon: Daemon{Flags: fd}, want: `by "docker.socket" root:docker 0660, is staff`},
		{
			name: "systemd's with a drop-in", daemon: Daemon{Flags: fd},
			files: map[string]string{"/etc/systemd/system/docker.socket.d/x.conf": "[Socket]\nSocketMode=666\nSocketGroup=staff\n", "/etc/systemd/system/service.d/y.conf": "[Socket]\nSocketMode=0600\n"},
			want:  `by "docker.socket" root:staff 0666, is staff`,
		},
		{
			name: "systemd's own defaults", daemon: Daemon{Flags: fd}, files: map[string]string{"/etc/systemd/system/docker.socket": "[Socket]\nListenStream=/run/docker.sock\n"},
			want: `by "docker.socket" root:root 0666, is staff`,
		},
		{
			name: "an odd mode", daemon: Daemon{Flags: fd}, files: map[string]string{"/etc/systemd/system/docker.socket": "[Socket]\nSocketMode=rw\n"},
			want: `by "docker.socket" : , is staffunit docker.socket has a SocketMode that is none: "rw"`,
		},
		{
			name: "no unit", daemon: Daemon{Flags: fd}, files: map[string]string{"/usr/lib/systemd/system/docker.socket": "-> /no/where"},
			want: `by "docker.socket" : , is staffcannot read unit docker.socket: no such unit file`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := map[string]string{"/etc/group": groups, "/var/run": "-> /run", "/usr/lib/systemd/system/docker.socket": unit}
			maps.Copy(all, tc.files)
			root := tree(t, all)
			listening(t, root, "/run/docker.sock", 0o666, 50)
			files, seen := root.engineFiles(&tc.daemon, "/var/run/docker.sock")
			got := of(files, "engine-socket")
			if len(got) != 1 {
				t.Fatalf("%d sockets\n%s", len(got), told(got))
			}
			if text := told(got); !strings.HasPrefix(text, "engine-socket /") || !strings.HasSuffix(text, " "+tc.want+"\n") {
				t.Errorf("got  %swant %s", text, tc.want)
			}
			if file := seen["/run/docker.sock"]; file.Type != TypeSocket || file.Mode != 0o666 || file.GID != 50 {
				t.Errorf("%+v", file)
			}
		})
	}
}

// Several sockets, each with its maker, and containerd's.
func TestEveryEngineSocket(t *testing.T) {
	root := tree(t, map[string]string{"/usr/lib/systemd/system/docker.socket": "[Socket]\nListenStream=/run/docker.sock\nListenStream=2375\n"})
	for _, name := range []string{"/run/docker.sock", "/srv/d.sock", "/run/containerd/containerd.sock", "/srv/c.sock"} {
		listening(t, root, name, 0o660, 0)
	}
	d := Daemon{Flags: map[string][]string{"hosts": {"fd://", "unix:///srv/d.sock", "tcp://127.0.0.1:2375"}}}
	files, _ := root.engineFiles(&d, "/srv/d.sock")
	want := `engine-socket /srv/d.sock by "" root:root 0660, is 
engine-socket /run/docker.sock by "docker.socket" root:root 0666, is 
`
	if diff := cmp.Diff(want, told(of(files, "engine-socket"))); diff != "" {
		t.Error(diff)
	}
	for flag, want := range map[string]string{"": "/run/containerd/containerd.sock", "/srv/c.sock": "/srv/c.sock", "unix:///srv/c.sock": "/srv/c.sock", "/no": "/no"} {
		d := Daemon{Flags: map[string][]string{"containerd": {flag}}}
		files, _ := root.engineFiles(&d, "/srv/d.sock")
		if got := of(files, "containerd"); len(got) != 1 || got[0].Path != want {
			t.Errorf("--containerd %q: %s", flag, told(got))
		}
	}
}

// What must not be changed says so. A link that others may move is never followed to a change.
func TestHeld(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
	run := func(t *testing.T, name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, r hostRoot)
		want  string
	}{
		"a plain file":     {func(*testing.T, hostRoot) {}, ""},
		"a link of root":   {func(*testing.T, hostRoot) {}, ""},
		"a user's link":    {func(t *testing.T, r hostRoot) { run(t, "chown", "-h", "1000", r.join("/etc/default/docker")) }, "others than root may change /etc/default/docker:"},
		"a user's folder":  {func(t *testing.T, r hostRoot) { run(t, "chown", "1000", r.join("/etc/default")) }, "others than root may change /etc/default:"},
		"a group's folder": {func(t *testing.T, r hostRoot) { run(t, "chmod", "0775", r.join("/etc/default")) }, "others than root may change /etc/default:"},
		"hard links":       {func(t *testing.T, r hostRoot) { run(t, "ln", r.join("/srv/docker"), r.join("/srv/too")) }, "it has 2 hard links"},
		"immutable": {func(t *testing.T, r hostRoot) {
			run(t, "chattr", "+i", r.join("/srv/docker"))
			t.Cleanup(func() { run(t, "chattr", "-i", r.join("/srv/docker")) })
		}, "it is immutable"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{"/etc/default/docker": "-> /srv/docker", "/srv/docker": ""})
			if name == "a plain file" {
				root = tree(t, map[string]string{"/etc/default/docker": ""})
			}
			tc.spoil(t, root)
			files, _ := root.engineFiles(&Daemon{}, "/var/run/docker.sock")
			got := of(files, "defaults")[0].Held
			if got != tc.want && (tc.want == "" || !strings.Contains(got, tc.want)) {
				t.Errorf("held: %q, want %q", got, tc.want)
			}
		})
	}
}

func TestHeldOnAReadOnlyFileSystem(t *testing.T) {
	const inside = "INVENTORY_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	root := tree(t, map[string]string{"/etc/docker/certs.d/": ""})
	dir := root.join("/etc/docker")
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	files, _ := root.engineFiles(&Daemon{}, "/var/run/docker.sock")
	for _, f := range append(of(files, "config-dir"), of(files, "registry")...) {
		if f.Held != "its file system is mounted read-only" {
			t.Errorf("%s: %q", f.Path, f.Held)
		}
	}
}

// A directory with more than anybody has is looked at in part, and said to be; what is in a snapshot is
// owner, mode and type, and no content.
func TestEngineFilesAreBounded(t *testing.T) {
	files := map[string]string{"/etc/docker/key.pem": "-----BEGIN PRIVATE KEY-----"}
	for i := range maxEntries + 20 {
		files[fmt.Sprintf("/etc/docker/certs.d/reg-%d/ca.crt", i)] = "x"
	}
	root := tree(t, files)
	d := Daemon{Flags: map[string][]string{"tlskey": {"/etc/docker/key.pem"}}}
	found, seen := root.engineFiles(&d, "/var/run/docker.sock")
	text := told(found)
	if !strings.Contains(text, "has more than 300 entries") || !strings.Contains(text, "it is one of more than 500 files") {
		t.Error("nothing says that there are more")
	}
	if len(seen) > 2*maxEngineFiles {
		t.Errorf("%d files were looked at", len(seen))
	}
	key := seen["/etc/docker/key.pem"]
	if !key.Exists || key.SHA256 != "" || key.Type != "" {
		t.Errorf("%+v", key)
	}
	h := &Host{Format: SnapshotFormat, EngineFiles: found, Files: seen}
	var out strings.Builder
	if err := h.Save(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "PRIVATE") {
		t.Error("the snapshot holds the key")
	}
	again, err := Load(strings.NewReader(out.String()), "x")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(found, again.EngineFiles); diff != "" {
		t.Error(diff)
	}
	if again.Files["/etc/docker"].Type != TypeDirectory {
		t.Errorf("%+v", again.Files["/etc/docker"])
	}
}

func TestTypeOf(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o644: "", fs.ModeDir: "directory", fs.ModeSocket: "socket", fs.ModeSymlink: "link", fs.ModeDevice: "device",
		fs.ModeDevice | fs.ModeCharDevice: "device", fs.ModeNamedPipe: "pipe",
	} {
		if got := typeOf(mode); got != want {
			t.Errorf("%v: %q, want %q", mode, got, want)
		}
	}
}

// Who is not root and may not look hears so.
func TestEngineFilesOutOfSight(t *testing.T) {
	root := tree(t, map[string]string{"/etc/docker/certs.d/reg/ca.crt": "x", "/etc/docker/ca.pem": "x"})
	for dir, mode := range map[string]fs.FileMode{root.join("/etc/docker/certs.d"): 0o711, filepath.Dir(string(root)): 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	d := Daemon{Flags: map[string][]string{"tlscacert": {"/etc/docker/hidden/ca.pem"}}}
	if err := os.Mkdir(root.join("/etc/docker/hidden"), 0o700); err != nil {
		t.Fatal(err)
	}
	said := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		_ = unix.Setfsuid(65534)
		files, _ := root.engineFiles(&d, "/var/run/docker.sock")
		said <- told(append(of(files, "registry"), of(files, "tls-ca")...))
	}()
	want := `registry-dir /etc/docker/certs.d
registry-dir /etc/docker/certs.d problem: cannot read /etc/docker/certs.d: permission denied; run docker-harden as root
tls-ca /etc/docker/hidden/ca.pem problem: cannot look at /etc/docker/hidden/ca.pem: permission denied; run docker-harden as root
`
	if diff := cmp.Diff(want, <-said); diff != "" {
		t.Error(diff)
	}
}
