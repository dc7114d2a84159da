//go:build reliability

package crashtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"docker-harden/cmd/testhost/host"
)

// siteProfile is where the answers of a kind are.
const siteProfile = dir + "/site.yaml"

const moveAnswer = `format: docker-harden/profile/v1
name: move
controls:
  docker/default-bridge: {params: {network: shop}}
`

const fileAnswer = `format: docker-harden/profile/v1
name: secret
controls:
  docker/secrets-in-containers: {params: {file: [ADMIN_PASSWORD]}}
`

const volumeAnswer = `format: docker-harden/profile/v1
name: volume
controls:
  docker/read-only-rootfs: {params: {accept: true, tmpfs: [/run], volumes: [/srv/app]}}
`

// password is what moves into a file.
const password = "sentinel-59012"

func answers(t *testing.T, h *host.Host, text string) {
	t.Helper()
	if err := os.WriteFile(h.Path(siteProfile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shop has the network that a container moves to.
func shop(t *testing.T, h *host.Host) {
	answers(t, h, moveAnswer)
	h.Docker(t, "network", "create", "shop")
}

// onDefault makes a container with a published port on the default bridge. It is made anew each time: moved back, it
// has another address, and docker inspect shows its place as empty instead of unset.
func onDefault(t *testing.T, h *host.Host) {
	if h.Docker(t, "ps", "-aq") != "" {
		h.Docker(t, "rm", "-f", "web")
	}
	launch(t, h, "web", "--restart", "always", "-p", "127.0.0.1:18080:80")
}

// readsFile is what an image starts with that takes a credential from a file.
const readsFile = `#!/bin/sh
if [ -n "${ADMIN_PASSWORD_FILE:-}" ]; then
	ADMIN_PASSWORD=$(cat "$ADMIN_PASSWORD_FILE") || exit 1
fi
unset ADMIN_PASSWORD_FILE
exec "$@"
`

// credential has a container whose image takes a credential from a file, and which has it in its environment.
func credential(t *testing.T, h *host.Host) {
	answers(t, h, fileAnswer)
	launch(t, h, "draft")
	h.Docker(t, "exec", "draft", "sh", "-c", "printf %s '"+readsFile+"' >/start.sh && chmod 755 /start.sh")
	h.Docker(t, "commit", "-c", `ENTRYPOINT ["/start.sh"]`, "-c", `CMD ["sleep","2147483647"]`, "draft", "vault")
	h.Docker(t, "rm", "-f", "draft")
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", "-e", "ADMIN_PASSWORD="+password, "vault")
	h.Docker(t, "exec", "web", "sh", "-c", "echo 1 >/file")
}

// keeper has a container whose image has files in a directory, which it has changed, deleted and added to.
func keeper(t *testing.T, h *host.Host) {
	answers(t, h, volumeAnswer)
	launch(t, h, "draft")
	h.Docker(t, "exec", "draft", "sh", "-c", "mkdir -p /srv/app/gone && cd /srv/app && echo image >kept && echo image >changed && echo image >gone/x && ln kept linked")
	h.Docker(t, "commit", "draft", "app")
	h.Docker(t, "rm", "-f", "draft")
	h.Docker(t, "run", "-d", "--name", "web", "--restart", "always", "app")
	h.Docker(t, "exec", "web", "sh", "-c", "cd /srv/app && echo web >changed && rm -r gone && mkdir -m 711 sub && echo web >sub/new && chmod 4711 sub/new && echo 1 >/file")
}

// volumes adds the volumes that the tool has made, whoever mounts them.
func (v view) volumes(ctx context.Context, h *host.Host, engine *client.Client) error {
	all, err := engine.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return err
	}
	for _, one := range all.Volumes {
		if strings.HasPrefix(one.Name, "docker-harden-") {
			v["volume "+plainMark(one.Name)] = tree(h.Path(one.Mountpoint))
		}
	}
	return nil
}

// secrets adds the files with values of variables. Of a value stands there what tells it from others.
func (v view) secrets(h *host.Host) error {
	top := h.Path(state + "/secrets")
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) && path == top {
			return nil
		}
		if err != nil || path == top { // the directory of all of them may stay
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			text += fmt.Sprintf(" %d:%d", st.Uid, st.Gid)
		}
		if !d.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		v["secret "+marks.ReplaceAllString(strings.TrimPrefix(path, top), ".…")] = text
		return nil
	})
}

// subnets are the networks that the kernel connects a running container to, whatever its interfaces are called.
func subnets(h *host.Host, pid int) string {
	const destination, mask, columns = 1, 7, 8
	table, err := os.ReadFile(h.Path(fmt.Sprintf("/proc/%d/net/route", pid)))
	if err != nil {
		return "not known"
	}
	var out []string
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) >= columns && f[0] != "Iface" && f[mask] != "00000000" {
			out = append(out, f[destination]+"/"+f[mask])
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
