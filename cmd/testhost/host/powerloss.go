package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// clearMachine drops what lives in memory only and so does not survive a power
// loss: mounts of containers, /run, bridges and firewall rules.
const clearMachine = `
awk '$5 ~ "^/(var/lib/docker|var/lib/containerd|run/docker|run/containerd)/" {print $5}' /proc/self/mountinfo |
  sort -r | while read -r dir; do umount -l "$dir"; done
find /run -mindepth 1 -maxdepth 1 ! -name testhost ! -name lock -exec rm -rf --one-file-system {} +
find /run/lock -mindepth 1 -delete
for i in $(ip -o link | awk -F'[ :@]+' '{print $2}'); do [ "$i" = lo ] || ip link delete "$i" 2>/dev/null; done
for table in nat filter mangle; do iptables -t $table -F; iptables -t $table -X; done 2>/dev/null
sync`

// powerLoss stops everything that belongs to the engine between two instructions,
// forgets what only memory knew, and starts the engine again.
func (h *Host) powerLoss(ctx context.Context) error {
	if h.systemd {
		return h.cutPower(ctx)
	}
	bound, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for {
		pids := h.engineProcesses()
		if len(pids) == 0 {
			break
		}
		// Some may be gone before the signal arrives, so its result says nothing.
		_ = h.signal(bound, "KILL", pids...)
		if err := pause(bound); err != nil {
			return fmt.Errorf("cannot cut the power: processes %v survive: %w", pids, err)
		}
	}
	if out, err := h.Command(ctx, "/bin/sh", "-c", clearMachine).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot clear the host after a power loss: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return h.Boot(ctx)
}

// cutPower ends everything in the host at once and boots it again on the same files: its keeper does
// both. What the new boot starts by itself is running or on its way when it returns.
func (h *Host) cutPower(ctx context.Context) error {
	if h.keeper == nil {
		return errors.New("internal error: only who started a host may cut its power")
	}
	if _, err := h.keeper.hold.WriteString("power\n"); err != nil {
		return fmt.Errorf("cannot cut the power: %w", err)
	}
	pid, err := awaitReady(ctx, h.keeper.ready)
	if err != nil {
		return fmt.Errorf("cannot start the host after a power loss: %w: %s", err, strings.TrimSpace(h.keeper.errors.String()))
	}
	h.pid = pid
	return h.Boot(ctx)
}

// engineProcesses lists the engine, its helpers and every process of a container.
func (h *Host) engineProcesses() []int {
	helpers := map[string]bool{"dockerd": true, "containerd": true, "docker-proxy": true, "runc": true}
	var pids []int
	for _, p := range processes(h.Path("/proc")) {
		if helpers[p.name] || strings.HasPrefix(p.name, "containerd-shim") || h.inContainer(p.pid) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// inContainer tells whether a process belongs to a container, by its control group.
func (h *Host) inContainer(pid int) bool {
	data, err := os.ReadFile(h.Path(fmt.Sprintf("/proc/%d/cgroup", pid)))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && strings.Contains(f[2], "/docker/") {
			return true
		}
	}
	return false
}
