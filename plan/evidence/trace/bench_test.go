package trace

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workVariable makes the test binary a process that asks for capabilities, as often as it says.
const workVariable = "TRACE_TEST_WORK"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(workVariable)); err == nil {
		os.Exit(work(n))
	}
	if file := os.Getenv(namesVariable); file != "" {
		runtime.LockOSThread()
		if err := manyNames(file); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work calls chown, which checks a capability each time, and prints the processor time of one call in nanoseconds.
func work(n int) int {
	f, err := os.CreateTemp("", "trace-work-")
	if err != nil {
		return 1
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a temporary file
	fd := int(f.Fd())
	before := used()
	for i := range n {
		if unix.Fchown(fd, 1000+i%2, 1000) != nil {
			return 1
		}
	}
	os.Stdout.WriteString(strconv.FormatInt(int64(used()-before)/int64(n), 10))
	return 0
}

// used is the processor time of this process.
func used() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// costs is what one call costs in another mount namespace, as a container's processes have one, in nanoseconds.
func costs(b *testing.B) float64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "unshare", "-m", os.Args[0])
	cmd.Env = append(os.Environ(), workVariable+"=50000")
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns
}

// What watching costs a process that does nothing but ask for capabilities: processor time of a call with the
// programs attached against that without. Both are the least of runs in turn: what else the machine does only adds.
func BenchmarkWatched(b *testing.B) {
	for b.Loop() {
		plain, watched := math.Inf(1), math.Inf(1)
		for range 25 {
			plain = min(plain, costs(b))
			r, err := Start()
			if err != nil {
				b.Fatal(err)
			}
			watched = min(watched, costs(b))
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(plain, "ns/plain")
		b.ReportMetric(watched, "ns/watched")
		b.ReportMetric(watched/plain, "watched/plain")
	}
}
