//go:build reliability

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// Files of the engine's socket where systemd makes it.
const (
	engineSocket = "/run/docker.sock"
	dropIns      = "/etc/systemd/system/docker.socket.d"
	ownDropIn    = dropIns + "/50-docker-harden.conf"
)

// wide opens the engine's socket to everybody: the one that is there, and by its unit those to come.
func wide(t *testing.T, h *host.Host) {
	h.Exec(t, "sh", "-c", `set -e
		mkdir -p /run/systemd/system/docker.socket.d
		printf '[Socket]\nSocketMode=0666\nSocketUser=nobody\nSocketGroup=nogroup\n' >/run/systemd/system/docker.socket.d/10-wide.conf
		systemctl daemon-reload
		chown nobody:nogroup `+engineSocket+`
		chmod 0666 `+engineSocket)
}

// socket adds what a host with systemd shows of the engine's socket, of the next one, and of what is written.
func (v view) socket(ctx context.Context, h *host.Host) error {
	if _, err := os.Stat(h.Path("/run/systemd/system")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	info, err := os.Lstat(h.Path(engineSocket))
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("internal error: no status of %s", engineSocket)
	}
	v["socket"] = fmt.Sprintf("%d:%d %v", st.Uid, st.Gid, info.Mode())
	next, err := h.Command(ctx, "systemctl", "show", "-p", "SocketUser", "-p", "SocketGroup", "-p", "SocketMode", "docker.socket").Output()
	if err != nil {
		return fmt.Errorf("cannot ask systemd for the socket: %w", err)
	}
	v["next socket"] = string(next)
	v["drop-in"] = file(h.Path(ownDropIn))
	there, err := filepath.Glob(h.Path(dropIns) + "/*")
	if err != nil {
		return err
	}
	_, err = os.Lstat(h.Path(dropIns))
	v["drop-ins"] = fmt.Sprint(err == nil, len(there))
	return nil
}
