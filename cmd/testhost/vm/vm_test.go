package vm

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInitialFileSystemUnpacks(t *testing.T) {
	modules := t.TempDir()
	for _, name := range []string{"drivers/virtio/virtio.ko", "drivers/net/virtio_net.ko", "drivers/net/other.ko"} {
		write(t, filepath.Join(modules, name), name)
	}
	busybox := filepath.Join(t.TempDir(), "busybox")
	write(t, busybox, "program")
	packed, err := initrd(kernel{modules: modules}, busybox)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unpack := exec.Command("sh", "-c", "gzip -d | /bin/busybox cpio -i -d")
	unpack.Dir, unpack.Stdin = dir, bytes.NewReader(packed)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"init": initScript, "bin/busybox": "program", "modules/virtio.ko": "drivers/virtio/virtio.ko",
		"modules/virtio_net.ko": "drivers/net/virtio_net.ko", "modules/order": strings.Join(drivers, "\n") + "\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if to, err := os.Readlink(filepath.Join(dir, "bin/switch_root")); err != nil || to != "busybox" {
		t.Errorf("switch_root leads to %q, %v", to, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "init")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the init script: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "modules/other.ko")); err == nil {
		t.Error("a driver that nobody needs is there")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCompressedDriversAreRefused(t *testing.T) {
	modules := t.TempDir()
	write(t, filepath.Join(modules, "virtio.ko.xz"), "x")
	if _, err := findDrivers(modules); err == nil || !strings.Contains(err.Error(), "compressed") {
		t.Errorf("got %v", err)
	}
}

func TestParseKernel(t *testing.T) {
	got, err := parseKernel("linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Suggests: x\n")
	if err != nil || got != "linux-image-6.1.0-56-cloud-amd64" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := parseKernel("linux-image-cloud-amd64\n"); err == nil {
		t.Error("a package without a kernel is no error")
	}
}

func TestArguments(t *testing.T) {
	args := arguments(files{kernel: "/k", initrd: "/i", disk: "/d"}, "/s", 4711, true)
	for _, want := range []string{"/k", "/i", "file:/s/console.log", "file=/d,if=virtio,cache=unsafe", "-loadvm"} {
		if !slices.Contains(args, want) {
			t.Errorf("%q is missing in %q", want, args)
		}
	}
	if net := args[slices.Index(args, "-nic")+1]; !strings.Contains(net, "restrict=on") || !strings.Contains(net, "hostfwd=tcp:127.0.0.1:4711-:22") {
		t.Errorf("the network is %s", net)
	}
	if slices.Contains(arguments(files{}, "", 0, false), "-loadvm") {
		t.Error("the first start loads a state")
	}
}

func TestAskSkipsEvents(t *testing.T) {
	for _, tt := range []struct{ said, want, err string }{
		{`{"event": "RESET"}` + "\n" + `{"return": {}}` + "\n", "{}", ""},
		{`{"return": "Error: no snapshot"}` + "\n", "Error: no snapshot", ""},
		{`{"error": {"class": "GenericError", "desc": "no such command"}}` + "\n", "", "no such command"},
		{`{"event": "STOP"}` + "\n", "", "EOF"},
		{"noise\n", "", "invalid character"},
	} {
		var sent bytes.Buffer
		got, err := ask(&sent, bufio.NewReader(strings.NewReader(tt.said)), "system_reset", nil)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %q, %v", tt.said, got, err)
		}
		if sent.String() != `{"execute":"system_reset"}`+"\n" {
			t.Errorf("sent %s", sent.String())
		}
	}
}

func TestKeysFitTogether(t *testing.T) {
	private, authorized, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "id"), string(private))
	write(t, filepath.Join(dir, "guest.pub"), string(authorized))
	k, err := readKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.own.PublicKey().Marshal(), k.guest.Marshal()) {
		t.Error("the keys are not of one pair")
	}
	write(t, filepath.Join(dir, "id"), "no key")
	if _, err := readKeys(dir); err == nil {
		t.Error("a file without a key is no error")
	}
}

func TestQuote(t *testing.T) {
	const word = `CMD ["sh","-c","it's $HOME"]`
	out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
	if err != nil || string(out) != word {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestReplaceLeavesTheLinkedFileAlone(t *testing.T) {
	dir := t.TempDir()
	cached, own := filepath.Join(dir, "cached"), filepath.Join(dir, "own")
	write(t, cached, "old")
	if err := os.Link(cached, own); err != nil {
		t.Fatal(err)
	}
	if err := replace(own, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(cached); err != nil || string(got) != "old" {
		t.Errorf("the cached file holds %q, %v", got, err)
	}
}

// The keeper notes how a program ended by itself, ends one that runs, and removes the files either way.
func TestKeeper(t *testing.T) {
	for _, tt := range []struct{ name, script, ended string }{
		{"ends by itself", "echo said; exit 3", "3"},
		{"runs", "echo said; exec sleep 600", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			reading, writing, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			keeper := exec.Command("/bin/sh", "-c", keeperScript, "keeper", dir, "sh", "-c", tt.script)
			keeper.ExtraFiles = []*os.File{reading}
			if err := errors.Join(keeper.Start(), reading.Close()); err != nil {
				t.Fatal(err)
			}
			m := &Machine{dir: dir, keeper: keeper, hold: writing}
			for end := time.Now().Add(time.Minute); time.Now().Before(end) && (m.said() != "said" || tt.ended != "" && !m.ended()); {
				time.Sleep(20 * time.Millisecond)
			}
			if m.said() != "said" || m.ended() != (tt.ended != "") {
				t.Errorf("it said %q, ended %v", m.said(), m.ended())
			}
			for range 2 {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("its files are left")
			}
		})
	}
}
