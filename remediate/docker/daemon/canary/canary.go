package canary

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	specs "github.com/opencontainers/image-spec/specs-go/v1"

	"docker-harden/remediate/internal/crash"
)

// Label marks the container and its image.
const Label = "docker-harden.canary"

// repository names both, with a random word behind.
const repository = "docker-harden-canary"

const (
	// patience is how long one canary may take on an engine that answers.
	patience = 2 * time.Minute
	// cleaning is how long its removal may take.
	cleaning = time.Minute
)

// ErrUntried says that a canary cannot be had here: nothing is known of the engine then.
var ErrUntried = errors.New("a new container could not be tried")

// Engine is what a canary asks of the engine's API; the Docker client has it.
type Engine interface {
	ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error)
	ContainerCreate(ctx context.Context, config *container.Config, hostConfig *container.HostConfig, networks *network.NetworkingConfig, platform *specs.Platform, name string) (container.CreateResponse, error)
	ContainerStart(ctx context.Context, id string, options container.StartOptions) error
	ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error)
	ContainerRemove(ctx context.Context, id string, options container.RemoveOptions) error
	ImageImport(ctx context.Context, source image.ImportSource, ref string, options image.ImportOptions) (io.ReadCloser, error)
	ImageList(ctx context.Context, options image.ListOptions) ([]image.Summary, error)
	ImageRemove(ctx context.Context, id string, options image.RemoveOptions) ([]image.DeleteResponse, error)
}

// Proof is what a container that asked for nothing was given.
type Proof struct {
	NoNewPrivileges bool
	LogDriver       string
	Remapped        bool // its root is another user on the host
}

// Run creates a container, starts it, looks at its process, and removes all of it. Its error wraps
// [ErrUntried], or says what the engine can no longer do.
func Run(ctx context.Context, e Engine) (proof Proof, err error) {
	files, err := filesFor(runtime.GOARCH)
	if err != nil {
		return Proof{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := Sweep(ctx, e); err != nil {
		return Proof{}, untried(err)
	}
	defer func() { err = errors.Join(err, Sweep(ctx, e)) }()
	name, err := fresh()
	if err != nil {
		return Proof{}, err
	}
	if err := load(ctx, e, files, name); err != nil {
		return Proof{}, untried(fmt.Errorf("cannot import an image: %w", err))
	}
	made, err := e.ContainerCreate(ctx,
		&container.Config{Image: reference(name), Cmd: []string{"/" + programName}, Labels: map[string]string{Label: "1"}},
		&container.HostConfig{NetworkMode: network.NetworkNone}, nil, nil, name)
	if err != nil {
		return Proof{}, untried(fmt.Errorf("cannot create a container: %w", err))
	}
	if err := e.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return Proof{}, untried(fmt.Errorf("cannot start a container: %w", err))
	}
	crash.Point("canary runs")
	return examine(ctx, e, made.ID)
}

// filesFor is the image's archive for a kind of processor.
func filesFor(arch string) ([]byte, error) {
	m, ok := machines()[arch]
	if !ok {
		return nil, fmt.Errorf("%w: there is no program for it on %s", ErrUntried, arch)
	}
	code, err := program(m)
	if err != nil {
		return nil, err
	}
	return archive(code)
}

// Denied reports that an authorization plugin of the engine refused what was asked.
func Denied(err error) bool {
	return err != nil && (errdefs.IsPermissionDenied(err) || strings.Contains(err.Error(), "authorization denied by plugin"))
}

// untried tells a refusal by an authorization plugin, which says nothing of the engine, from a failure.
func untried(err error) error {
	if Denied(err) {
		return fmt.Errorf("%w: %w", ErrUntried, err)
	}
	return err
}

func fresh() (string, error) {
	word := make([]byte, 4)
	if _, err := rand.Read(word); err != nil {
		return "", fmt.Errorf("cannot name a container: %w", err)
	}
	return repository + "-" + hex.EncodeToString(word), nil
}

// reference is the image's name for a container's name.
func reference(name string) string { return strings.Replace(name, repository+"-", repository+":", 1) }

// load imports the image.
func load(ctx context.Context, e Engine, files []byte, name string) error {
	out, err := e.ImageImport(ctx, image.ImportSource{Source: bytes.NewReader(files), SourceName: "-"}, reference(name),
		image.ImportOptions{Changes: []string{"LABEL " + Label + "=1"}})
	if err != nil {
		return err
	}
	defer out.Close()
	answers := json.NewDecoder(out)
	for {
		var line struct {
			Error string `json:"error"`
		}
		switch err := answers.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}

// examine looks at the running container from the kernel's side.
func examine(ctx context.Context, e Engine, id string) (Proof, error) {
	c, err := e.ContainerInspect(ctx, id)
	if err != nil {
		return Proof{}, fmt.Errorf("cannot inspect a new container: %w", err)
	}
	if c.ContainerJSONBase == nil || c.State == nil || c.HostConfig == nil {
		return Proof{}, errors.New("cannot inspect a new container: the answer has no state")
	}
	if !c.State.Running || c.State.Pid == 0 {
		return Proof{}, fmt.Errorf("a new container ends at once (exit status %d): %s", c.State.ExitCode, c.State.Error)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.State.Pid))
	if err != nil {
		return Proof{}, fmt.Errorf("cannot look at the process of a new container: %w", err)
	}
	users, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", c.State.Pid))
	if err != nil {
		return Proof{}, fmt.Errorf("cannot look at the users of a new container: %w", err)
	}
	proof := Proof{Remapped: remapped(string(users)), LogDriver: c.HostConfig.LogConfig.Type}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "NoNewPrivs:"); ok {
			proof.NoNewPrivileges = strings.TrimSpace(value) == "1"
		}
	}
	return proof, nil
}

// remapped reads a map of users: in the first user's line stands who it is outside.
func remapped(users string) bool {
	for line := range strings.Lines(users) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "0" {
			return fields[1] != "0"
		}
	}
	return false
}

// Sweep removes every canary there is, of this run and of one that was killed.
func Sweep(ctx context.Context, e Engine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	ours := filters.NewArgs(filters.Arg("label", Label))
	containers, err := e.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return fmt.Errorf("cannot look for canary containers: %w", err)
	}
	for _, c := range containers {
		if !slices.ContainsFunc(c.Names, func(name string) bool { return strings.HasPrefix(name, "/"+repository+"-") }) {
			continue // a label alone makes nothing ours
		}
		if err := e.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("cannot remove the canary container %.12s: %w", c.ID, err)
		}
	}
	images, err := e.ImageList(ctx, image.ListOptions{All: true, Filters: ours})
	if err != nil {
		return fmt.Errorf("cannot look for canary images: %w", err)
	}
	for _, i := range images {
		for _, tag := range i.RepoTags {
			if !strings.HasPrefix(tag, repository+":") {
				continue
			}
			if _, err := e.ImageRemove(ctx, tag, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil && !errdefs.IsNotFound(err) {
				return fmt.Errorf("cannot remove the canary image %s: %w", tag, err)
			}
		}
	}
	return nil
}
