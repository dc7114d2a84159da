package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"docker-harden/remediate/internal/crash"
)

// Engine is a way to the engine's API: a *client.Client of github.com/docker/docker is one.
// Requests go out as raw JSON at the engine's own newest version; the client's typed methods would
// drop every field they do not know.
type Engine interface {
	// Dialer opens connections to the engine, through TLS or ssh where the client is set up so.
	Dialer() func(context.Context) (net.Conn, error)
}

// callTimeout bounds one ordinary request. Stopping a container takes as long as it takes.
const callTimeout = 5 * time.Minute

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// api speaks to one engine. It is made anew for each step, so it holds no connection.
type api struct {
	http    *http.Client
	version string
}

// open asks the engine for its API version.
func open(ctx context.Context, e Engine) (*api, error) {
	a := &api{http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return e.Dialer()(ctx) },
	}}}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := a.send(ctx, http.MethodGet, "/_ping", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the engine: %w", err)
	}
	defer resp.Body.Close()
	a.version = resp.Header.Get("Api-Version")
	if resp.StatusCode != http.StatusOK || a.version == "" {
		return nil, fmt.Errorf("cannot speak to the engine: it answered %s and API version %q", resp.Status, a.version)
	}
	return a, nil
}

func (a *api) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL, which names an invented host
		}
		return nil, err
	}
	return resp, nil
}

// apiError is the engine's refusal of a request.
type apiError struct {
	Status  int
	Message string
}

// Error is the engine's own message.
func (e *apiError) Error() string { return "engine: " + e.Message }

func isStatus(err error, status int) bool {
	var refused *apiError
	return errors.As(err, &refused) && refused.Status == status
}

func isNotFound(err error) bool { return isStatus(err, http.StatusNotFound) }

// call makes one request at the engine's version. in and out may be nil; out may be a
// *json.RawMessage to get the answer as it is.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	return a.callAt(ctx, a.version, method, path, in, out)
}

func (a *api) callAt(ctx context.Context, version, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return a.exchange(ctx, method, "/v"+version+path, in, out)
}

func (a *api) exchange(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("internal error: cannot encode a request: %w", err)
		}
	}
	if method != http.MethodGet {
		crash.Point("before engine call", method, path)
	}
	resp, err := a.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if method != http.MethodGet {
		crash.Point("after engine call", method, path)
	}
	if err != nil {
		return fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return nil
	case resp.StatusCode >= http.StatusBadRequest:
		return refusal(resp, answer)
	case out == nil || len(answer) == 0:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	return nil
}

func refusal(resp *http.Response, answer []byte) error {
	var said struct{ Message string }
	if json.Unmarshal(answer, &said) != nil || said.Message == "" {
		said.Message = resp.Status
	}
	return &apiError{Status: resp.StatusCode, Message: clean(strings.TrimSpace(said.Message), maxMessage)}
}
