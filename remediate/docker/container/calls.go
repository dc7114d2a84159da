package container

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/docker/docker/pkg/stdcopy"

	"docker-harden/remediate/docker/container/body"
)

// state is what the handlers read of an inspect answer; raw is all of it.
type state struct {
	raw   json.RawMessage
	had   []string // variables that it has in files, or that the old container had: its log may speak of their values
	ID    string   `json:"Id"`
	Name  string   `json:"Name"`
	Image string   `json:"Image"`
	State struct {
		Status     string `json:"Status"`
		Running    bool   `json:"Running"`
		Paused     bool   `json:"Paused"`
		Restarting bool   `json:"Restarting"`
		OOMKilled  bool   `json:"OOMKilled"`
		Dead       bool   `json:"Dead"`
		PID        int    `json:"Pid"`
		ExitCode   int    `json:"ExitCode"`
		Error      string `json:"Error"`
		StartedAt  string `json:"StartedAt"`
		FinishedAt string `json:"FinishedAt"`
		Health     *struct {
			Status string `json:"Status"`
			Log    []struct {
				ExitCode int    `json:"ExitCode"`
				Output   string `json:"Output"` // may hold secrets
			} `json:"Log"`
		} `json:"Health"`
	} `json:"State"`
	RestartCount int    `json:"RestartCount"`
	LogPath      string `json:"LogPath"`
	MountLabel   string `json:"MountLabel"`
	Config       struct {
		Image       string            `json:"Image"`
		Hostname    string            `json:"Hostname"`
		WorkingDir  string            `json:"WorkingDir"`
		Labels      map[string]string `json:"Labels"`
		Env         []string          `json:"Env"`
		Tty         bool              `json:"Tty"`
		StopTimeout *int              `json:"StopTimeout"`
		Healthcheck *healthcheck      `json:"Healthcheck"`
	} `json:"Config"`
	HostConfig struct {
		AutoRemove     bool              `json:"AutoRemove"`
		Privileged     bool              `json:"Privileged"`
		ReadonlyRootfs bool              `json:"ReadonlyRootfs"`
		NetworkMode    string            `json:"NetworkMode"`
		PidMode        string            `json:"PidMode"`
		IpcMode        string            `json:"IpcMode"`
		UTSMode        string            `json:"UTSMode"`
		Runtime        string            `json:"Runtime"`
		Links          []string          `json:"Links"`
		CapAdd         []string          `json:"CapAdd"`
		CapDrop        []string          `json:"CapDrop"`
		SecurityOpt    []string          `json:"SecurityOpt"`
		Tmpfs          map[string]string `json:"Tmpfs"`
		RestartPolicy  policy            `json:"RestartPolicy"`
		LogConfig      struct {
			Type string `json:"Type"`
		} `json:"LogConfig"`
		limits
	} `json:"HostConfig"`
	Mounts []struct {
		Type        string `json:"Type"`
		Name        string `json:"Name"`
		Source      string `json:"Source"`
		Destination string `json:"Destination"`
	} `json:"Mounts"`
	GraphDriver struct {
		Name string            `json:"Name"`
		Data map[string]string `json:"Data"`
	} `json:"GraphDriver"`
	NetworkSettings struct {
		Ports    portMap `json:"Ports"`
		Networks map[string]struct {
			NetworkID string `json:"NetworkID"`
		} `json:"Networks"`
	} `json:"NetworkSettings"`
}

// healthcheck is how a container is asked whether it is well; 0 means the engine's default.
type healthcheck struct {
	Interval    time.Duration `json:"Interval"`
	Timeout     time.Duration `json:"Timeout"`
	StartPeriod time.Duration `json:"StartPeriod"`
	Retries     int           `json:"Retries"`
}

// limits are the resource limits that the engine can change in place.
type limits struct {
	Memory            int64  `json:"Memory"`
	MemorySwap        int64  `json:"MemorySwap"`
	MemoryReservation int64  `json:"MemoryReservation"`
	PidsLimit         *int64 `json:"PidsLimit"`
	CPUShares         int64  `json:"CpuShares"`
}

type policy struct {
	Name              string `json:"Name"`
	MaximumRetryCount int    `json:"MaximumRetryCount"`
}

// dead reports whether the engine has begun to remove the container.
func (c *state) dead() bool { return c.State.Dead || c.State.Status == "removing" }

func (c *state) name() string { return c.Name[min(1, len(c.Name)):] }

// inspect describes a container by id or name; nil without an error when there is none.
func (a *api) inspect(ctx context.Context, ref string) (*state, error) {
	var raw json.RawMessage
	err := a.call(ctx, http.MethodGet, "/containers/"+url.PathEscape(ref)+"/json", nil, &raw)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot inspect container %s: %w", ref, err)
	}
	s := &state{raw: raw}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("cannot read what the engine says of container %s: %w", ref, err)
	}
	return s, nil
}

// named finds the container that has exactly this name; an id that starts so does not count.
func (a *api) named(ctx context.Context, name string) (*state, error) {
	s, err := a.inspect(ctx, name)
	if err != nil || s == nil || s.name() != name {
		return nil, err
	}
	return s, nil
}

func (a *api) create(ctx context.Context, name string, req *body.Request) (id string, err error) {
	var made struct{ ID string }
	if err := a.call(ctx, http.MethodPost, "/containers/create?name="+url.QueryEscape(name), req.Create, &made); err != nil {
		return "", fmt.Errorf("cannot create container %s: %w", name, err)
	}
	return made.ID, nil
}

func (a *api) connect(ctx context.Context, id string, end body.Endpoint) error {
	in := map[string]any{"Container": id, "EndpointConfig": end.Config}
	if err := a.call(ctx, http.MethodPost, "/networks/"+url.PathEscape(end.Network)+"/connect", in, nil); err != nil {
		return fmt.Errorf("cannot connect to network %s: %w", end.Network, err)
	}
	return nil
}

func (a *api) act(ctx context.Context, id, verb, query string) error {
	if err := a.call(ctx, http.MethodPost, "/containers/"+id+"/"+verb+query, nil, nil); err != nil {
		return fmt.Errorf("cannot %s container %.12s: %w", verb, id, err)
	}
	return nil
}

func (a *api) start(ctx context.Context, id string) error { return a.act(ctx, id, "start", "") }
func (a *api) pause(ctx context.Context, id string) error { return a.act(ctx, id, "pause", "") }

func (a *api) rename(ctx context.Context, id, name string) error {
	return a.act(ctx, id, "rename", "?name="+url.QueryEscape(name))
}

// stop lets the container have its own stop signal and time; there is no limit of ours on top.
func (a *api) stop(ctx context.Context, id string) error {
	if err := a.exchange(ctx, http.MethodPost, "/v"+a.version+"/containers/"+id+"/stop", nil, nil); err != nil {
		return fmt.Errorf("cannot stop container %.12s: %w", id, err)
	}
	return nil
}

// remove deletes a container and never its volumes. A container that is gone is no error.
func (a *api) remove(ctx context.Context, id string) error {
	err := a.call(ctx, http.MethodDelete, "/containers/"+id+"?v=0&force=1", nil, nil)
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("cannot remove container %.12s: %w", id, err)
	}
	return nil
}

// update changes settings in place. The answer proves nothing: the engine ignores what it does not know.
func (a *api) update(ctx context.Context, id string, in any) error {
	if err := a.call(ctx, http.MethodPost, "/containers/"+id+"/update", in, nil); err != nil {
		return fmt.Errorf("cannot update container %.12s: %w", id, err)
	}
	return nil
}

func (a *api) setPolicy(ctx context.Context, id string, p any) error {
	return a.update(ctx, id, map[string]any{"RestartPolicy": p})
}

// logTail is the end of what a container wrote to its log, newest last; nil when it cannot be read.
func (a *api) logTail(ctx context.Context, s *state, lines int) [][]byte {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := a.send(ctx, http.MethodGet, "/v"+a.version+"/containers/"+s.ID+"/logs?stdout=1&stderr=1&tail="+strconv.Itoa(lines), nil)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	var text bytes.Buffer
	const most = 1 << 20
	body := io.LimitReader(resp.Body, most)
	if s.Config.Tty {
		_, err = text.ReadFrom(body)
	} else {
		_, err = stdcopy.StdCopy(&text, &text, body)
	}
	if err != nil && text.Len() == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSpace(text.Bytes()), []byte("\n"))
}
