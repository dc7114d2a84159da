package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/remediate/journal"
)

func TestClock(t *testing.T) {
	first, err := Clock()
	must(t, err)
	time.Sleep(20 * time.Millisecond)
	second, err := Clock()
	must(t, err)
	if first.Boot != second.Boot || len(first.Boot) < 36 || second.Up-first.Up < 20*time.Millisecond || time.Since(second.Wall).Abs() > time.Minute {
		t.Errorf("%+v, then %+v", first, second)
	}
}

// Two boots differ, also where the kernel is the same: in a container that is a machine.
func TestClockTellsBootsApart(t *testing.T) {
	root := t.TempDir()
	const ofKernel = "/proc/sys/kernel/random/boot_id"
	boot := func(id string, start int) string {
		for name, text := range map[string]string{
			ofKernel:       id + "\n",
			"/proc/1/stat": "1 (systemd (x)) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 " + fmt.Sprint(start) + " 1 1\n",
		} {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
			must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
		}
		now, err := clockBelow(root)
		must(t, err)
		return now.Boot
	}
	seen := map[string]bool{}
	for range 2 {
		for _, id := range []string{"aaaa", "bbbb"} {
			for _, start := range []int{3, 9000} {
				seen[boot(id, start)] = true
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("four boots have these names: %v", seen)
	}
	must(t, os.Remove(filepath.Join(root, ofKernel)))
	if now, err := clockBelow(root); err == nil || now != (journal.Instant{}) || !strings.Contains(err.Error(), "one boot") {
		t.Errorf("%+v %v", now, err)
	}
}
