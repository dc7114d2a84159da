package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"

	"docker-harden/cmd/testhost/host"
)

var update = flag.Bool("update", false, "record fixtures/engine again from the engine of the test host")

// recordedEngine answers from files that were recorded from a real engine.
type recordedEngine struct {
	t        testing.TB
	dir      string
	endpoint string
	history  func(id string) ([]image.HistoryResponseItem, error)
}

const recordedDir = "../../fixtures/engine/20.10.24-mixed"

func (e recordedEngine) DaemonHost() string    { return first(e.endpoint, "tcp://recorded:2375") }
func (e recordedEngine) ClientVersion() string { return "1.41" }

func (e recordedEngine) read(name string, into any) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(e.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.ErrNotFound
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return data, json.Unmarshal(data, into)
}

func (e recordedEngine) Ping(context.Context) (p types.Ping, err error) {
	_, err = e.read("ping.json", &p)
	return p, err
}

func (e recordedEngine) ServerVersion(context.Context) (v types.Version, err error) {
	_, err = e.read("version.json", &v)
	return v, err
}

func (e recordedEngine) Info(context.Context) (i system.Info, err error) {
	_, err = e.read("info.json", &i)
	return i, err
}

func (e recordedEngine) ContainerList(context.Context, container.ListOptions) (l []container.Summary, err error) {
	_, err = e.read("list.json", &l)
	return l, err
}

func (e recordedEngine) ContainerInspectWithRaw(_ context.Context, id string, _ bool) (r container.InspectResponse, raw []byte, err error) {
	raw, err = e.read(filepath.Join("containers", id+".json"), &r)
	return r, raw, err
}

func (e recordedEngine) ImageInspect(_ context.Context, id string, options ...client.ImageInspectOption) (r image.InspectResponse, err error) {
	raw, err := e.read(imageFile(id), &r)
	if err != nil {
		return r, err
	}
	// The option is opaque: a client that talks to a server of one answer fills the buffer for us.
	return replay(raw).ImageInspect(context.Background(), id, options...)
}

// ImageHistory is of no engine: what it says was written for tests.
func (e recordedEngine) ImageHistory(_ context.Context, id string, _ ...client.ImageHistoryOption) ([]image.HistoryResponseItem, error) {
	if e.history == nil {
		return nil, errors.New("no history was recorded")
	}
	return e.history(id)
}

// NetworkList has the one network that was recorded.
func (e recordedEngine) NetworkList(context.Context, network.ListOptions) ([]network.Summary, error) {
	var n network.Summary
	_, err := e.read("network-bridge.json", &n)
	return []network.Summary{n}, err
}

// imageFile is where an image's answer is kept; a colon in a file name would break Go modules.
func imageFile(id string) string {
	return filepath.Join("images", strings.ReplaceAll(id, ":", "-")+".json")
}

// observeRecorded observes the recorded engine, of which no process is in sight.
func observeRecorded(t testing.TB) *Host {
	t.Helper()
	h, err := Collect(context.Background(), recordedEngine{t: t, dir: recordedDir}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// mixed makes the containers that are recorded: one for each thing the inventory tells apart.
func mixed(t testing.TB, h *host.Host) {
	t.Helper()
	image := h.Image(t, "busybox")
	h.Docker(t, "network", "create", "--subnet", "10.88.1.0/24", "front")
	h.Docker(t, "network", "create", "back")
	for _, args := range [][]string{
		{"run", "-d", "--name", "plain", image, "sleep", "100000"},
		{"run", "-d", "--name", "limited", "-m", "64m", "--pids-limit", "50", "--cpu-shares", "512", "--restart", "on-failure:3", image, "sleep", "100000"},
		{"run", "-d", "--name", "strict", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "1000:1000", "--tmpfs", "/tmp", image, "sleep", "100000"},
		{"run", "-d", "--name", "hostly", "--network", "host", "--pid", "host", "--ipc", "host", "--uts", "host", image, "sleep", "100000"},
		{"create", "--name", "privileged", "--privileged", image, "sleep", "100000"},
		{"run", "-d", "--name", "nets", "--network", "front", "--ip", "10.88.1.7", "--network-alias", "api", "-p", "127.0.0.1:18081:80", image, "sleep", "100000"},
		{"network", "connect", "--alias", "store", "back", "nets"},
		{"run", "-d", "--name", "volumes", "-v", "/anonymous", "-v", "named:/srv/named", "--mount", "type=bind,src=/etc/hostname,dst=/opt/config/name,readonly", "--tmpfs", "/scratch", "--workdir", "/made/by/engine", "--init", image, "sleep", "100000"},
		{"run", "-d", "--name", "written", image, "sh", "-c", "mkdir -p /srv/data/empty; echo hello > /srv/data/file; rm /bin/wget; exec sleep 100000"},
		{"run", "-d", "--name", "secret", "-e", "DB_PASSWORD=hunter2-env", "-l", "traefik.basicauth=hunter2-label", "-l", "team=web", "--log-opt", "env=hunter2", "--health-cmd", "echo hunter2-health", "--health-interval", "1s", image, "sh", "-c", "exec sleep 100000 # --password hunter2-arg"},
		{"create", "--name", "shop_web_1", "-l", "com.docker.compose.project=shop", "-l", "com.docker.compose.service=web", image},
		{"create", "--name", "task", "-l", "com.docker.swarm.task.id=abc", "-l", "com.docker.swarm.service.name=api", image},
		{"create", "--name", "k8s_app_pod-1_prod_uid_0", image},
	} {
		h.Docker(t, args...)
	}
}

// record writes the engine's answers to files.
func record(t *testing.T, h *host.Host) {
	t.Helper()
	c, ctx := h.Client(t), context.Background()
	save := func(name string, value any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		raw, isRaw := value.([]byte)
		if !isRaw {
			if raw, err = json.Marshal(value); err != nil {
				t.Fatal(err)
			}
		}
		if err := json.Indent(&out, bytes.TrimSpace(raw), "", " "); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
		name = filepath.Join(recordedDir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(recordedDir); err != nil {
		t.Fatal(err)
	}
	ping, err := c.Ping(ctx)
	save("ping.json", ping, err)
	version, err := c.ServerVersion(ctx)
	save("version.json", version, err)
	info, err := c.Info(ctx)
	save("info.json", info, err)
	bridge, err := c.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	save("network-bridge.json", bridge, err)
	list, err := c.ContainerList(ctx, container.ListOptions{All: true})
	save("list.json", list, err)
	for _, item := range list {
		_, raw, err := c.ContainerInspectWithRaw(ctx, item.ID, false)
		save("containers/"+item.ID+".json", raw, err)
		var image bytes.Buffer
		_, err = c.ImageInspect(ctx, item.ImageID, client.ImageInspectWithRawResponse(&image))
		save(imageFile(item.ImageID), image.Bytes(), err)
	}
}
