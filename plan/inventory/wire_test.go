package inventory

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// served is an engine's client whose requests a function answers, over a socket.
func served(t *testing.T, answer http.HandlerFunc) (c *client.Client, connections *atomic.Int64) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int64)
	server := &http.Server{Handler: answer, ReadHeaderTimeout: time.Minute, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	if c, err = client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithVersion("1.41")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, connections
}

func TestWireAsksOverOneConnection(t *testing.T) {
	c, connections := served(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.URL)
		if r.URL.Query().Has("long") {
			fmt.Fprint(w, strings.Repeat("x", 100_000)) // in chunks: its length is not known before
		}
	})
	w := newWire(c)
	defer w.close()
	for range 5 {
		if data, ok := w.get(t.Context(), "/containers/a/json"); !ok || string(data) != "GET "+client.DummyHost+" /v1.41/containers/a/json" {
			t.Fatalf("%q %v", data, ok)
		}
		if data, ok := w.get(t.Context(), "/x?long=1"); !ok || len(data) < 100_000 {
			t.Fatalf("%d bytes, %v", len(data), ok)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestWireAsksAhead(t *testing.T) {
	c, connections := served(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/missing") {
			http.Error(w, "no such thing", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, strings.TrimPrefix(r.URL.Path, "/v1.41/"), strings.Repeat(" ", 10_000))
	})
	w := newWire(c)
	defer w.close()
	for round := range 3 {
		w.ask(t.Context(), "/a", "/b", "/c")
		for _, want := range []string{"a", "b", "c"} {
			if data, ok := w.next(); !ok || strings.TrimSpace(string(data)) != want {
				t.Fatalf("round %d: %.10q %v, want %s", round, data, ok, want)
			}
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	// Behind an answer that is not good there are none: they must never be taken for those of later requests.
	w.ask(t.Context(), "/a", "/missing", "/b")
	if data, ok := w.next(); !ok || strings.TrimSpace(string(data)) != "a" {
		t.Fatalf("%.10q %v", data, ok)
	}
	for range 2 {
		if data, ok := w.next(); ok {
			t.Fatalf("%.10q", data)
		}
	}
	if data, ok := w.get(t.Context(), "/d"); !ok || strings.TrimSpace(string(data)) != "d" {
		t.Fatalf("%.10q %v", data, ok)
	}
}

func TestWireStepsAside(t *testing.T) {
	c, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/good"):
			fmt.Fprint(w, "good")
		case strings.HasSuffix(r.URL.Path, "/missing"):
			http.Error(w, "no such thing", http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/huge"):
			w.Header().Set("Content-Length", fmt.Sprint(maxAnswer+2))
			for block := make([]byte, 1<<20); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		case strings.HasSuffix(r.URL.Path, "/short"):
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		default:
			panic(http.ErrAbortHandler)
		}
	})
	w := newWire(c)
	defer w.close()
	for _, bad := range []string{"missing", "short", "broken", "huge"} {
		if data, ok := w.get(t.Context(), "/"+bad); ok || data != nil {
			t.Errorf("%s: %d bytes", bad, len(data))
		}
		if data, ok := w.get(t.Context(), "/good"); !ok || string(data) != "good" {
			t.Errorf("after %s: %q %v", bad, data, ok)
		}
	}
}

func TestWireEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := served(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	w := newWire(c)
	if _, ok := w.get(ctx, "/never"); ok {
		t.Error("an answer nobody gave")
	}
	w.close()
	w.close()
}

func TestNoWire(t *testing.T) {
	remote, err := client.NewClientWithOpts(client.WithHost("tcp://10.0.0.1:2375"))
	if err != nil {
		t.Fatal(err)
	}
	here, _ := served(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	gone, err := client.NewClientWithOpts(client.WithHost("unix:///no/such.sock"))
	if err != nil {
		t.Fatal(err)
	}
	for name, reader := range map[string]Reader{"over a network": remote, "another reader": oddEngine{Reader: here}, "recorded": recordedEngine{t: t}, "gone": gone} {
		w := newWire(reader)
		if _, ok := w.get(t.Context(), "/"); ok {
			t.Error(name)
		}
		w.close()
	}
}

// TestWireIsSilent observes an engine that fails at single requests: what people see is the client's error.
func TestWireIsSilent(t *testing.T) {
	c, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/json"):
			fmt.Fprint(w, `[{"Id":"a","Names":["/web/link","/web"]},{"Id":"b","Names":["/db"]},{"Id":"c","Names":["/gone"]}]`)
		case strings.HasSuffix(r.URL.Path, "/containers/a/json"):
			fmt.Fprint(w, `{"Id":"a","Name":"/web","Image":"i"}`)
		case strings.HasSuffix(r.URL.Path, "/containers/b/json"):
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"message":"the disk is full"}`)
		case strings.HasSuffix(r.URL.Path, "/containers/c/json"):
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"no such container"}`)
		default:
			fmt.Fprint(w, `{}`)
		}
	})
	h := collect(t, c, Options{})
	if len(h.Containers) != 2 || must(t, h, "web").Inspect.Image != "i" || !hasProblem(h, "container/gone", "was removed", false) {
		t.Errorf("%+v %v", h.Containers, h.Problems)
	}
	if db := must(t, h, "db"); db.Problem != "cannot inspect: Error response from daemon: the disk is full" {
		t.Errorf("%q", db.Problem)
	}
}

// TestOneAPIVersion: no question is asked in a version that the engine does not speak, also not the first.
func TestOneAPIVersion(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	c, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", "1.40")
			return
		}
		version, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		asked[version]++
		http.Error(w, "{}", http.StatusInternalServerError)
	})
	fresh, err := client.NewClientWithOpts(client.WithHost(c.DaemonHost()), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if _, err := Collect(t.Context(), fresh, Options{Root: t.TempDir()}); err == nil {
		t.Error("an engine that answers nothing was observed")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 || asked["v1.40"] < 2 {
		t.Errorf("asked in versions %v", asked)
	}
}
