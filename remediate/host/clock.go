package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/journal"
)

// Clock tells the time so that a deadline can be measured whatever happens to the wall clock. Two
// looks in one boot of the machine agree on its name, two boots never do: neither on a machine of its
// own, where the kernel gives each boot a name, nor in a container that is one, where the kernel is
// the same and the first process is another.
func Clock() (journal.Instant, error) { return clockBelow("") }

func clockBelow(root string) (journal.Instant, error) {
	id, err := os.ReadFile(filepath.Join(root, "/proc/sys/kernel/random/boot_id"))
	if err != nil {
		return journal.Instant{}, fmt.Errorf("cannot tell one boot of this machine from the next: %w", err)
	}
	first := "?" // hidden from others than root, always or never
	if p, err := statOf(root, 1); err == nil {
		first = fmt.Sprint(p.ticks)
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return journal.Instant{}, os.NewSyscallError("clock_gettime", err)
	}
	boot := strings.TrimSpace(string(id)) + "+" + first
	return journal.Instant{Wall: time.Now().UTC(), Boot: boot, Up: time.Duration(up.Nano())}, nil
}
