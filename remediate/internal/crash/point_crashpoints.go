//go:build crashpoints

package crash

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	envTrace = "DOCKER_HARDEN_CRASH_TRACE"
	envAt    = "DOCKER_HARDEN_CRASH_AT"
	envHow   = "DOCKER_HARDEN_CRASH_HOW"
)

// passed counts points. It is the one state of a package here: a point has no other way to know its number.
var passed atomic.Int64

// Point ends the program here when the environment says so. what is joined to the name.
func Point(name string, what ...string) {
	n := passed.Add(1)
	name = strings.Join(append([]string{name}, what...), " ")
	if path := os.Getenv(envTrace); path != "" {
		trace(path, n, name)
	}
	if at, err := strconv.ParseInt(os.Getenv(envAt), 10, 64); err != nil || at != n {
		return
	}
	if os.Getenv(envHow) == "stop" {
		// Sent to this very thread, it takes effect before the next instruction.
		runtime.LockOSThread()
		_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
		runtime.UnlockOSThread()
		return
	}
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {} // the signal ends every thread, this one may be the last
}

// trace writes one line. A test that cannot read it back fails, so nothing is hidden by an error here.
func trace(path string, n int64, name string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%d\t%s\n", n, strings.ReplaceAll(name, "\n", " "))
}
