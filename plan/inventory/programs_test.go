package inventory

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/plan/evidence"
)

// program makes a file with a mode.
func program(t *testing.T, root, name string, mode os.FileMode) string {
	t.Helper()
	plant(t, root, name)
	at := filepath.Join(root, name)
	if err := os.Chmod(at, mode); err != nil {
		t.Fatal(err)
	}
	return at
}

func soon() time.Time { return time.Now().Add(time.Minute) }

func programsBelow(root string, until time.Time) evidence.Programs {
	w := programWalk{until: until}
	return w.programs(root)
}

// What gives no privileges is not looked into, nor what may not answer; of the second that is said.
func TestProgramsLeftOut(t *testing.T) {
	left := leftOut(parseMounts([]byte(`1 0 0:1 / / rw - overlay overlay rw
2 1 0:2 / /proc rw,nosuid,nodev - proc proc rw
3 1 0:3 / /data rw - nfs4 server:/data rw
4 1 0:4 / /home rw - fuse.sshfs sshfs rw
5 1 0:5 / /srv rw - ext4 /dev/sda rw
6 1 0:6 / /mnt rw - nfs server:/mnt rw
7 1 0:7 / /mnt rw - ext4 /dev/sdb rw
`)))
	for name, missed := range map[string]bool{"/proc": false, "/data": true, "/home": true} {
		if got, is := left[name]; !is || got != missed {
			t.Errorf("%s: %t %t", name, is, got)
		}
	}
	if len(left) != 3 {
		t.Errorf("%v", left)
	}
	root := t.TempDir()
	program(t, root, "data/su", 0o755|os.ModeSetuid)
	program(t, root, "proc/su", 0o755|os.ModeSetuid)
	for place, partial := range map[string]bool{"/data": true, "/proc": false} {
		w := programWalk{until: soon(), left: map[string]bool{place: partial}}
		if got := w.programs(root); got.Partial != partial || len(got.Found) != 1 || strings.HasPrefix(got.Found[0].Path, place) {
			t.Errorf("without %s: %+v", place, got)
		}
	}
}

func TestPrivilegingPrograms(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	program(t, root, "bin/sh", 0o755)
	program(t, root, "bin/su", 0o755|os.ModeSetuid)
	program(t, root, "usr/bin/wall", 0o755|os.ModeSetgid)
	program(t, root, "usr/bin/nobody", 0o644|os.ModeSetuid) // nobody executes it
	program(t, root, "var/mail", 0o664|os.ModeSetgid)       // a lock of old, no program
	program(t, outside, "su", 0o755|os.ModeSetuid)
	if err := os.Symlink(outside, filepath.Join(root, "out")); err != nil {
		t.Fatal(err)
	}
	got := programsBelow(root, soon())
	if !got.Looked || got.Partial || got.Problem != "" || len(got.Found) != 2 {
		t.Fatalf("%+v", got)
	}
	if got.Found[0] != (evidence.Program{Path: "/bin/su", Setuid: true}) || got.Found[1] != (evidence.Program{Path: "/usr/bin/wall", Setgid: true}) {
		t.Errorf("%+v", got.Found)
	}
}

func TestProgramsWithCapabilities(t *testing.T) {
	root := t.TempDir()
	at := program(t, root, "usr/bin/ping", 0o755)
	data := make([]byte, 20)
	binary.LittleEndian.PutUint32(data, 0x02000001) // effective
	binary.LittleEndian.PutUint32(data[4:], 1<<13)  // NET_RAW
	if err := unix.Setxattr(at, "security.capability", data, 0); err != nil {
		t.Fatalf("capabilities of files cannot be set here: %v", err)
	}
	got := programsBelow(root, soon())
	if len(got.Found) != 1 || got.Found[0] != (evidence.Program{Path: "/usr/bin/ping", Gives: evidence.MaskOf(1 << 13)}) {
		t.Errorf("%+v", got)
	}
}

// What was not looked at is said.
func TestProgramsPartly(t *testing.T) {
	root := t.TempDir()
	program(t, root, "bin/su", 0o755|os.ModeSetuid)
	if got := programsBelow(root, time.Now().Add(-time.Second)); !got.Partial || len(got.Found) != 0 {
		t.Errorf("without time: %+v", got)
	}
	if got := programsBelow(filepath.Join(root, "none"), soon()); got.Problem == "" {
		t.Errorf("not there: %+v", got)
	}
	for i := range maxPrograms {
		program(t, root, "bin/"+strings.Repeat("x", i+1), 0o755|os.ModeSetuid)
	}
	if got := programsBelow(root, soon()); !got.Partial || len(got.Found) != maxPrograms {
		t.Errorf("too many: %t, %d", got.Partial, len(got.Found))
	}
	deep := t.TempDir()
	plant(t, deep, strings.Repeat("d/", maxProgramDepth+2)+"file")
	if got := programsBelow(deep, soon()); !got.Partial {
		t.Errorf("too deep: %+v", got)
	}
	gone := &Container{ProcProblem: "permission denied"}
	if got := gone.Programs(); got.Problem != "permission denied" || !got.Looked {
		t.Errorf("a container that could not be read: %+v", got)
	}
}
