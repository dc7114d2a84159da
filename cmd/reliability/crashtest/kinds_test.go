//go:build reliability

package crashtest

import (
	"os"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// The kinds of steps. Containers end at once when they are stopped, so that the tests measure the tool.
func kinds() []kind {
	return []kind{
		{name: "daemon-reload", setup: both(running, config(`{"debug": false}`)), plan: []string{"--only", "docker/live-restore"}},
		{name: "daemon-restart", setup: both(running, config(`{"log-level": "warn"}`)), plan: []string{"daemon"}},
		{
			name: "daemon-restart-systemd", setup: both(running, config(`{"log-level": "warn"}`)), plan: []string{"daemon"},
			host: []host.Option{host.Systemd()},
		},
		{
			name: "daemon-restart-stopping", setup: both(running, config(`{}`)),
			plan: []string{"--only", "docker/daemon-no-new-privileges"},
		},
		{
			name: "live-update", setup: image, again: unlimited,
			plan: []string{"container/web", "--only", "docker/restart-policy", "--only", "docker/memory-limit", "--only", "docker/pids-limit"},
		},
		{name: "recreate", setup: alone, plan: []string{"container/web"}},
		{name: "recreate-group", setup: group, plan: []string{"container/web", "container/side"}},
		moved(), filed(), volumed(), written(),
		{name: "swarm", setup: manager(lockAnswer), plan: []string{"swarm", "-p", siteProfile}},
		{name: "group-members", setup: trusting, plan: []string{"host/etc/group", "-p", siteProfile}},
		{name: "file-mode", setup: open, plan: []string{"host"}},
		{name: "socket", setup: wide, plan: []string{"host" + engineSocket}, host: []host.Option{host.Systemd()}},
	}
}

func moved() kind {
	return kind{name: "network-move", setup: both(image, shop), again: onDefault, plan: []string{"container/web", "-p", siteProfile}}
}

func filed() kind {
	return kind{name: "secret-file", setup: credential, plan: []string{"container/web", "-p", siteProfile}}
}

func volumed() kind {
	return kind{name: "data-volume", setup: keeper, plan: []string{"container/web", "-p", siteProfile}}
}

func written() kind {
	return kind{name: "written", setup: writer, plan: []string{"container/web"}, start: unwritten, kept: keptOfAll}
}

func both(a, b func(*testing.T, *host.Host)) func(*testing.T, *host.Host) {
	return func(t *testing.T, h *host.Host) { a(t, h); b(t, h) }
}

func image(t *testing.T, h *host.Host) { h.Image(t, "busybox") }

// launch starts one that ends by SIGKILL when it is stopped.
func launch(t *testing.T, h *host.Host, name string, args ...string) {
	t.Helper()
	args = append([]string{"run", "-d", "--name", name, "--stop-signal", "KILL"}, args...)
	h.Docker(t, append(args, h.Image(t, "busybox"))...)
}

// running has one container that the engine starts again by itself, and one that it does not.
func running(t *testing.T, h *host.Host) {
	launch(t, h, "web", "--restart", "always")
	launch(t, h, "job")
}

// config gives the engine a configuration file that it has read.
func config(text string) func(*testing.T, *host.Host) {
	return func(t *testing.T, h *host.Host) {
		h.WriteDaemonJSON(t, text+"\n")
		h.Restart(t)
		h.Docker(t, "start", "web", "job")
	}
}

// unlimited makes a container without limits and with too many restarts.
func unlimited(t *testing.T, h *host.Host) {
	if h.Docker(t, "ps", "-aq") != "" {
		h.Docker(t, "rm", "-f", "web")
	}
	launch(t, h, "web", "--restart", "on-failure:10")
}

// alone has a container on two networks, with a volume, files in its layer and a restart policy.
func alone(t *testing.T, h *host.Host) {
	h.Docker(t, "network", "create", "back")
	launch(t, h, "web", "--restart", "always", "-v", "/data")
	h.Docker(t, "network", "connect", "back", "web")
	h.Docker(t, "exec", "web", "sh", "-c", "echo 1 >/file; echo 2 >/data/file; rm /bin/uniq")
}

// group has a container whose network another one shares: one is not recreated without the other.
func group(t *testing.T, h *host.Host) {
	launch(t, h, "web", "--restart", "always")
	launch(t, h, "side", "--restart", "always", "--network", "container:web")
}

// open leaves daemon.json to everybody.
// trusting has somebody in the engine's group whom the profile takes out.
func trusting(t *testing.T, h *host.Host) {
	answers(t, h, `format: docker-harden/profile/v1
name: group
controls:
  docker/docker-group: {params: {trusted: [daemon], remove: [nobody]}}
`)
	for _, user := range []string{"nobody", "daemon"} {
		if out, err := h.Command(t.Context(), "gpasswd", "-a", user, "docker").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func open(t *testing.T, h *host.Host) {
	h.WriteDaemonJSON(t, "{\"log-level\": \"info\"}\n")
	h.Restart(t)
	path := h.Path(host.DaemonJSON)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	h.Restart(t)
}
