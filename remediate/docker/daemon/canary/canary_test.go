package canary

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	specs "github.com/opencontainers/image-spec/specs-go/v1"

	testhost "docker-harden/cmd/testhost/host"
)

func TestMain(m *testing.M) { testhost.Main(m) }

// left is everything that a canary might leave on a host.
func left(t *testing.T, h *testhost.Host) string {
	t.Helper()
	var out strings.Builder
	for _, args := range [][]string{{"ps", "-aq"}, {"images", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "--format", "{{.Name}}"}} {
		out.WriteString(h.Docker(t, args...) + "\n")
	}
	for _, pattern := range []string{"/var/lib/docker/overlay2/*", "/var/lib/docker/image/*/imagedb/*/sha256/*", "/var/lib/docker/image/*/layerdb/*/*", "/var/lib/docker/containers/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(strings.Join(names, "\n") + "\n")
	}
	return out.String()
}

func TestRun(t *testing.T) {
	h := testhost.Here(t)
	c := h.Client(t)
	h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--stop-timeout", "1", "--name", "web", h.Image(t, "busybox"), "sleep", "10000")
	before := left(t, h)
	begin := time.Now()
	proof, err := Run(t.Context(), c)
	t.Logf("a canary took %s", time.Since(begin).Round(time.Millisecond))
	if err != nil || proof.NoNewPrivileges || proof.LogDriver != "json-file" {
		t.Fatalf("Run = %+v, %v", proof, err)
	}
	if after := left(t, h); after != before {
		t.Errorf("it leaves\n%s\nand there was\n%s", after, before)
	}
	h.WriteDaemonJSON(t, `{"no-new-privileges":true,"log-driver":"none"}`)
	h.Restart(t)
	if proof, err = Run(t.Context(), c); err != nil || !proof.NoNewPrivileges || proof.LogDriver != "none" {
		t.Errorf("Run = %+v, %v", proof, err)
	}
	h.WriteDaemonJSON(t, `{"log-driver":"no-such-driver"}`)
	h.Restart(t)
	if _, err = Run(t.Context(), c); err == nil || errors.Is(err, ErrUntried) || !strings.Contains(err.Error(), "no-such-driver") {
		t.Errorf("Run = %v, want the engine's words", err)
	}
	if after := left(t, h); after != before {
		t.Errorf("a failure leaves\n%s\nand there was\n%s", after, before)
	}
}

// A run that was killed leaves a container and an image; things of others that look alike stay.
func TestSweep(t *testing.T) {
	h := testhost.Here(t)
	c := h.Client(t)
	busybox := h.Image(t, "busybox")
	h.Docker(t, "run", "-d", "--name", "mine", "--label", Label+"=1", busybox, "sleep", "10000")
	h.Docker(t, "run", "-d", "--name", repository+"-mine", busybox, "sleep", "10000")
	before := left(t, h)
	files, err := filesFor(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	killed := &dies{Engine: c}
	if _, err := Run(t.Context(), killed); !errors.Is(err, errKilled) {
		t.Fatalf("Run = %v", err)
	}
	if err := load(t.Context(), c, files, repository+"-more"); err != nil {
		t.Fatal(err)
	}
	if left(t, h) == before {
		t.Fatal("nothing was left to sweep up")
	}
	for range 2 {
		if err := Sweep(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if after := left(t, h); after != before {
			t.Errorf("after Sweep there is\n%s\nand there was\n%s", after, before)
		}
	}
}

var errKilled = errors.New("killed")

// dies is an engine whose caller is killed once the container runs: nothing is cleaned up.
type dies struct {
	Engine
	dead bool
}

func (d *dies) ContainerInspect(context.Context, string) (container.InspectResponse, error) {
	d.dead = true
	return container.InspectResponse{}, errKilled
}

func (d *dies) ContainerList(ctx context.Context, o container.ListOptions) ([]container.Summary, error) {
	if d.dead {
		return nil, errKilled
	}
	return d.Engine.ContainerList(ctx, o)
}

// refuses is an engine with an authorization plugin.
type refuses struct{ *client.Client }

func (refuses) ContainerCreate(context.Context, *container.Config, *container.HostConfig, *network.NetworkingConfig, *specs.Platform, string) (container.CreateResponse, error) {
	return container.CreateResponse{}, errors.New("Error response from daemon: authorization denied by plugin opa: no")
}

func TestRefusedByAPlugin(t *testing.T) {
	h := testhost.Here(t)
	before := left(t, h)
	if _, err := Run(t.Context(), refuses{h.Client(t)}); !errors.Is(err, ErrUntried) || !strings.Contains(err.Error(), "opa") {
		t.Errorf("Run = %v, want ErrUntried", err)
	}
	if after := left(t, h); after != before {
		t.Errorf("it leaves\n%s\nand there was\n%s", after, before)
	}
}

func TestPrograms(t *testing.T) {
	for arch, m := range machines() {
		code, err := program(m)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(code))
		if err != nil {
			t.Fatalf("%s: %v", arch, err)
		}
		if f.Machine != m.id || f.Type != elf.ET_EXEC || len(f.Progs) != 1 || f.Progs[0].Filesz != uint64(len(code)) || f.Entry != f.Progs[0].Vaddr+120 {
			t.Errorf("%s: %+v %+v", arch, f.FileHeader, f.Progs[0].ProgHeader)
		}
		if !bytes.HasSuffix(code, m.code) || len(code) > 200 {
			t.Errorf("%s: %d bytes, code not at its end", arch, len(code))
		}
	}
	if _, err := filesFor("pdp11"); !errors.Is(err, ErrUntried) || !strings.Contains(err.Error(), "pdp11") {
		t.Errorf("filesFor = %v, want ErrUntried", err)
	}
}

// The program sleeps without using the processor, here and now.
func TestProgramSleeps(t *testing.T) {
	m, ok := machines()[runtime.GOARCH]
	if !ok {
		t.Fatalf("there is no program for %s", runtime.GOARCH)
	}
	code, err := program(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), programName)
	if err := os.WriteFile(path, code, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	err = cmd.Run()
	if ctx.Err() == nil {
		t.Fatalf("it ended by itself: %v", err)
	}
	if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > 200*time.Millisecond {
		t.Errorf("it used the processor for %s", used)
	}
}

var _ Engine = (*client.Client)(nil)

func TestImportThatFails(t *testing.T) {
	h := testhost.Here(t)
	if err := load(t.Context(), h.Client(t), []byte("no archive at all, and long enough not to be taken for an end"), repository+"-broken"); err == nil {
		t.Error("an import of garbage passed")
	}
	if _, err := h.Client(t).ImageList(t.Context(), image.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := Sweep(t.Context(), h.Client(t)); err != nil {
		t.Error(err)
	}
}
