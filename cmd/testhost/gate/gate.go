// Package gate is an authorization plugin for tests: it speaks the engine's protocol of plugins on a socket, and
// allows, denies or lets wait whatever the test says.
//
// There is no promise about this package's API before version 1.
package gate

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// dir is where the engine of a test host looks for the sockets of plugins.
const dir = "/run/docker/plugins"

// Verdict is what a plugin says of a request.
type Verdict int

// The verdicts. Hang gives no answer before the test ends.
const (
	Allow Verdict = iota
	Deny
	Hang
)

// Gate is a running plugin.
type Gate struct {
	Socket string

	mu     sync.Mutex
	decide func(method, uri string) Verdict
	asked  []string
	end    chan struct{}
	server *http.Server
}

// Start starts a plugin within the test host that this test runs in. It allows everything.
func Start(t testing.TB, name string) *Gate {
	t.Helper()
	g := &Gate{Socket: filepath.Join(dir, name+".sock"), end: make(chan struct{})}
	g.Say(Allow)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", g.Socket)
	if err != nil {
		t.Fatal(err)
	}
	g.server = &http.Server{Handler: g}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.server.Serve(listener)
	}()
	t.Cleanup(func() {
		close(g.end)
		_ = g.server.Close()
		<-done
	})
	return g
}

// Say gives every request from now on this verdict.
func (g *Gate) Say(v Verdict) { g.Decide(func(string, string) Verdict { return v }) }

// Decide asks a function about every request from now on.
func (g *Gate) Decide(decide func(method, uri string) Verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.decide = decide
}

// Asked are the requests that the engine asked about so far.
func (g *Gate) Asked() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.asked...)
}

// ServeHTTP answers the engine.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/Plugin.Activate" {
		_, _ = w.Write([]byte(`{"Implements": ["authz"]}`))
		return
	}
	var question struct{ RequestMethod, RequestUri string } //nolint:revive // the protocol's own spelling
	if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	g.asked = append(g.asked, question.RequestMethod+" "+question.RequestUri)
	verdict := g.decide(question.RequestMethod, question.RequestUri)
	g.mu.Unlock()
	switch verdict {
	case Deny:
		_, _ = w.Write([]byte(`{"Allow": false, "Msg": "the test says no"}`))
	case Hang:
		select {
		case <-g.end:
		case <-r.Context().Done():
		}
	default:
		_, _ = w.Write([]byte(`{"Allow": true}`))
	}
}
