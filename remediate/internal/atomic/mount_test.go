package atomic_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
)

const insideMounts = "ATOMIC_TEST_INSIDE"

// privately runs the test once more in a mount namespace of its own, so that its mounts are seen by
// nobody and vanish with it. It returns true inside.
func privately(t *testing.T) bool {
	t.Helper()
	needRoot(t)
	if os.Getenv(insideMounts) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func mount(t *testing.T, source, dir, kind string, flags uintptr, options string) {
	t.Helper()
	if err := unix.Mount(source, dir, kind, flags, options); err != nil {
		t.Fatalf("cannot mount %s on %s: %v", source, dir, err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
}

func TestFullDisk(t *testing.T) {
	if !privately(t) {
		return
	}
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k,mode=755")
	path := filepath.Join(dir, "daemon.json")
	put(t, path, "{}\n", 0o640)
	before := look(t, path)
	err := atomic.WriteFile(path, bytes.Repeat([]byte("x"), 128<<10), atomic.Options{Keep: true})
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
	look(t, path).same(t, before)
	alone(t, dir, "daemon.json")
	must(t, atomic.WriteFile(path, []byte("small"), atomic.Options{Keep: true}))
}

func TestNoInodeLeft(t *testing.T) {
	if !privately(t) {
		return
	}
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "nr_inodes=2,mode=755")
	path := filepath.Join(dir, "f")
	put(t, path, "old", 0o640)
	if err := atomic.WriteFile(path, []byte("new"), atomic.Options{Keep: true}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v", err)
	}
	alone(t, dir, "f")
}

func TestBindMountedFile(t *testing.T) {
	if !privately(t) {
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	put(t, path, "old", 0o640)
	before := look(t, path)
	mount(t, path, path, "", unix.MS_BIND, "")
	err := atomic.WriteFile(path, []byte("new"), atomic.Options{Keep: true})
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "mount point") {
		t.Errorf("got %v", err)
	}
	look(t, path).same(t, before)
	alone(t, dir, "f")
}

func TestReadOnlyMount(t *testing.T) {
	if !privately(t) {
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	put(t, path, "old", 0o640)
	before := look(t, path)
	mount(t, dir, dir, "", unix.MS_BIND, "")
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	err := atomic.WriteFile(path, []byte("new"), atomic.Options{Keep: true})
	if !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
	if err := atomic.Remove(path); !errors.Is(err, unix.EROFS) {
		t.Errorf("remove: %v", err)
	}
	look(t, path).same(t, before)
}

func TestXattrThatCannotBeSetIsAnError(t *testing.T) {
	if !privately(t) {
		return
	}
	dir := t.TempDir()
	mount(t, "ramfs", dir, "ramfs", 0, "mode=755") // knows no extended attributes
	path := filepath.Join(dir, "f")
	must(t, atomic.WriteFile(path, []byte("x"), atomic.Options{Mode: 0o600}))
	if attrs, err := atomic.ReadXattrs(path); err != nil || len(attrs) != 0 {
		t.Errorf("%v %v", attrs, err)
	}
	for _, name := range []string{"security.selinux", "user.note"} {
		err := atomic.WriteFile(path, []byte("y"), atomic.Options{Mode: 0o600, Xattrs: map[string][]byte{name: []byte("v")}})
		if !errors.Is(err, unix.ENOTSUP) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v", err)
		}
		if got := look(t, path); got.text != "x" {
			t.Errorf("%+v", got)
		}
		alone(t, dir, "f")
	}
	if err := xattr.Set(path, "user.note", []byte("v")); err == nil {
		t.Error("this file system does keep extended attributes: the test proves nothing")
	}
}
