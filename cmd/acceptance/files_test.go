package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"docker-harden/plan"
)

// spoiledFile is a file of the engine as somebody left it, and as it should be. The content of a link is
// where it leads, that of a directory is empty.
type spoiledFile struct {
	path, content     string
	uid, gid          int
	mode              uint32
	want              string // uid:gid mode; empty: as it is
	directory, linked bool
}

// spoil makes files on the host.
func spoil(t *testing.T, files []spoiledFile) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		must(os.MkdirAll(filepath.Dir(f.path), 0o755))
		switch {
		case f.directory:
			must(os.MkdirAll(f.path, 0o755))
		case f.linked:
			_ = os.Remove(f.path)
			must(os.Symlink(f.content, f.path))
			continue
		default:
			must(os.WriteFile(f.path, []byte(f.content), 0o600))
		}
		must(os.Chown(f.path, f.uid, f.gid))
		must(unix.Chmod(f.path, f.mode))
	}
	t.Cleanup(func() { _ = os.RemoveAll("/etc/docker/certs.d") })
}

// seen is what the kernel shows of files: type, owner, mode, and what is in them.
func seen(t *testing.T, files []spoiledFile) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range files {
		var st unix.Stat_t
		if err := unix.Lstat(f.path, &st); err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
		text := fmt.Sprintf("%d:%d %04o", st.Uid, st.Gid, st.Mode&0o7777)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFLNK:
			target, err := os.Readlink(f.path)
			if err != nil {
				t.Fatal(err)
			}
			text += " -> " + target
		case unix.S_IFREG:
			data, err := os.ReadFile(f.path)
			if err != nil {
				t.Fatal(err)
			}
			text += fmt.Sprintf(" %q", data)
		}
		out[f.path] = text
	}
	return out
}

// certificate makes a certificate that is its own CA, and its key, as PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "engine"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"engine"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", secret)
}

// engineFiles are all files of section 3 that are changed, each wrong in another way.
func engineFiles(t *testing.T) []spoiledFile {
	cert, key := certificate(t)
	const registry = "/etc/docker/certs.d/registry.example:5000"
	return []spoiledFile{
		{path: "/etc/docker", directory: true, uid: 65534, gid: 65534, mode: 0o777, want: "0:0 0755"},
		{path: "/etc/docker/certs.d", directory: true, gid: 50, mode: 0o2775, want: "0:0 0755"},
		{path: registry, directory: true, uid: 1000, gid: 1000, mode: 0o700, want: "0:0 0700"},
		{path: registry + "/ca.crt", content: cert, uid: 1000, gid: 1000, mode: 0o664, want: "0:0 0444"},
		{path: registry + "/client.cert", content: cert, mode: 0o640, want: "0:0 0400"},
		{path: registry + "/client.key", content: key, mode: 0o644, want: "0:0 0400"},
		{path: registry + "/notes", content: "none of the engine's\n", uid: 1000, gid: 1000, mode: 0o666},
		{path: "/etc/docker/tls/ca.pem", content: cert, uid: 1000, mode: 0o644, want: "0:0 0444"},
		{path: "/etc/docker/tls/cert.pem", content: cert, mode: 0o666, want: "0:0 0444"},
		{path: "/etc/pki/engine.key", content: key, gid: 50, mode: 0o640, want: "0:0 0400"},
		{path: "/etc/docker/tls/key.pem", content: "/etc/pki/engine.key", linked: true},
		{path: "/etc/conf/docker", content: "# DOCKER_OPTS=\n", uid: 1000, gid: 1000, mode: 0o666, want: "0:0 0644"},
		{path: "/etc/default/docker", content: "../conf/docker", linked: true},
		{path: "/etc/sysconfig/docker", content: "OPTIONS=\n", gid: 50, mode: 0o660, want: "0:0 0600"},
	}
}

const tlsConfig = `{
  "hosts": ["unix:///var/run/docker.sock"],
  "tls": true,
  "tlscacert": "/etc/docker/tls/ca.pem",
  "tlscert": "/etc/docker/tls/cert.pem",
  "tlskey": "/etc/docker/tls/key.pem"
}
`

// Every file of the engine has a wrong owner or mode: plan, apply, the kernel shows it right, a plan again is
// empty, and a rollback brings every one of them back. The engine is restarted in between, with these files.
func TestEngineFilesThereAndBack(t *testing.T) {
	o := newOperator(t)
	files := engineFiles(t)
	// /etc/docker/tls/key.pem is a link in a directory that somebody else may write: not followed to a change.
	spoil(t, files)
	o.host.WriteDaemonJSON(t, tlsConfig)
	o.host.Restart(t)
	before, state := seen(t, files), o.record("before")

	o.run(0, "plan", "-p", "cis-level1", "-o", "host.plan")
	planned := o.run(0, "show", "host.plan")
	for _, want := range []string{"reached through the link /etc/docker/tls/key.pem", "others than root may write to /etc/docker, which leads to daemon.json"} {
		if !strings.Contains(planned.stdout, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
	o.run(0, "apply", "host.plan", "-y")
	// Now that /etc/docker is root's, so is the link in it, and daemon.json can be edited.
	o.run(0, "plan", "-p", "cis-level1", "-o", "second.plan")
	second := o.plan("second.plan")
	if len(second.Steps) != 2 || second.Steps[0].ID != "daemon" || second.Steps[1].ID != "host/etc/pki/engine.key" || second.Steps[1].Risk.Level != plan.RiskMedium {
		t.Fatalf("got\n%s", second)
	}
	o.run(0, "apply", "second.plan", "-y")

	want := map[string]string{}
	for _, f := range files {
		want[f.path] = before[f.path]
		if f.want != "" {
			_, rest, _ := strings.Cut(before[f.path], " ")
			want[f.path] = strings.TrimSuffix(f.want+" "+strings.TrimPrefix(rest[min(len(rest), 4):], " "), " ")
		}
	}
	if diff := cmp.Diff(want, seen(t, files)); diff != "" {
		t.Errorf("after the apply (-want +got):\n%s", diff)
	}
	if again := o.run(0, "plan", "-p", "cis-level1"); !strings.Contains(strings.ToLower(again.stdout), "no changes") {
		t.Error("a plan after the apply still changes something")
	}
	o.run(0, "verify")
	o.host.Restart(t) // the engine reads its certificate and key as they are now

	o.run(0, "rollback", "-y")
	o.run(0, "rollback", "-y", "1")
	if diff := cmp.Diff(before, seen(t, files)); diff != "" {
		t.Errorf("after the rollback (-want +got):\n%s", diff)
	}
	o.script("check", state, o.record("after"))
}

// A plan whose file step was changed to another file, or to another mode, is refused although its digest is
// that of its content. So is one for a bind source, which the inventory looks at too.
func TestForgedFileStep(t *testing.T) {
	o := newOperator(t)
	spoil(t, []spoiledFile{{path: "/etc/default/docker", content: "# none\n", mode: 0o666}, {path: "/etc/bound", directory: true, mode: 0o777}})
	o.host.Docker(t, "run", "-d", "--name", "binds", "--stop-signal", "KILL", "-v", "/etc/bound:/bound", o.host.Image(t, "busybox"), "sleep", "3600")
	o.run(0, "plan", "host", "-o", "host.plan")
	forge := func(name string, change func(s *plan.Step)) {
		t.Helper()
		p := o.plan("host.plan")
		change(&p.Steps[0])
		data, _, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		refused := o.run(5, "apply", name, "-y")
		if !strings.Contains(refused.stderr, "no control asks to change mode of the file") {
			t.Errorf("%s: the refusal does not say why", name)
		}
	}
	elsewhere := func(path string) func(s *plan.Step) {
		return func(s *plan.Step) { s.Resource = plan.File(path); s.ID = s.Resource.String() }
	}
	forge("passwd.plan", elsewhere("/etc/passwd"))
	forge("bound.plan", elsewhere("/etc/bound"))
	forge("wider.plan", func(s *plan.Step) { s.Changes[0].To = []byte(`"0777"`) })
	forge("nothing.plan", func(s *plan.Step) { s.Changes[0].To = []byte(`"0000"`) })
	for path, want := range map[string]fs.FileMode{"/etc/default/docker": 0o666, "/etc/bound": 0o777, "/etc/passwd": 0o644} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	o.run(0, "apply", "host.plan", "-y")
	o.run(0, "rollback", "-y")
}

// A socket that everybody may write is found, with the command to run, and not changed by a plan.
func TestOpenSocket(t *testing.T) {
	o := newOperator(t)
	if err := os.Chmod("/run/docker.sock", 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod("/run/docker.sock", 0o660) })
	found := o.run(2, "check", "--only", "docker/docker-sock-mode")
	if !strings.Contains(found.stdout, "its mode is 0666") || !strings.Contains(found.stdout, "chmod 0660 /run/docker.sock") {
		t.Error("the finding does not say what to do")
	}
	o.run(0, "plan", "host", "-o", "host.plan")
	for _, s := range o.plan("host.plan").Steps {
		if strings.Contains(s.ID, ".sock") {
			t.Errorf("%s is changed", s.ID)
		}
	}
	if err := os.Chmod("/run/docker.sock", 0o660); err != nil {
		t.Fatal(err)
	}
	o.run(0, "check", "--only", "docker/docker-sock-mode")
	o.run(0, "check", "--only", "docker/docker-sock-owner")
}
