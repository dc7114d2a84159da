//go:build reliability

package faulttest

import (
	stdcontext "context"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// proxy stands between the program and the engine. It listens inside the host, from outside of its process
// namespace: the kernel does not tell the program whose the socket is, and it takes the engine for its peer.
type proxy struct {
	mu sync.Mutex
	// judge is asked for every request, in order; nil: let it through.
	judge func(*http.Request) fate
	seen  []string // every request, as METHOD PATH
}

// fate is what becomes of a request.
type fate int

const (
	pass fate = iota
	lose      // it does not reach the engine
	mute      // it reaches the engine, and the answer is lost
)

const proxySocket = "/run/proxy.sock"

// between puts a proxy in front of the engine, for every command from now on.
func (g *rig) between() *proxy {
	g.Helper()
	p := &proxy{}
	l, err := net.Listen("unix", g.path(proxySocket))
	if err != nil {
		g.Fatal(err)
	}
	engine := g.path("/run/docker.sock")
	forward := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx stdcontext.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", engine)
		}},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Context().Value(muted{}) != nil {
				return http.ErrAbortHandler
			}
			return nil
		},
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p.ask(r) {
		case lose:
			panic(http.ErrAbortHandler)
		case mute:
			r = r.WithContext(stdcontext.WithValue(r.Context(), muted{}, true))
		}
		forward.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	g.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	g.flags = append([]string{"-H", "unix://" + proxySocket}, g.flags...)
	return p
}

type muted struct{}

func (p *proxy) ask(r *http.Request) fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.Method+" "+r.URL.Path)
	if p.judge == nil {
		return pass
	}
	return p.judge(r)
}

// set replaces the judge, and returns what was seen since it was set last.
func (p *proxy) set(judge func(*http.Request) fate) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.judge, p.seen = judge, nil
	return seen
}

func changing(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// nth is a fate for the n-th changing request alone, or with all from there on.
func nth(n int, f fate, onwards bool) func(*http.Request) fate {
	count := 0
	return func(r *http.Request) fate {
		if changing(r) {
			count++
		}
		switch {
		case count < n, count > n && !onwards, count == n && !onwards && !changing(r):
			return pass
		case count > n:
			return lose
		}
		return f
	}
}

// hold stops the world at a request: whoever waits on held may do something, then closes release.
func hold(match func(*http.Request) bool) (judge func(*http.Request) fate, held, release chan struct{}) {
	held, release = make(chan struct{}), make(chan struct{})
	once := false
	return func(r *http.Request) fate {
		if !once && match(r) {
			once = true
			close(held)
			<-release
		}
		return pass
	}, held, release
}

// until waits for a held request.
func (g *rig) held(held chan struct{}) {
	g.Helper()
	select {
	case <-held:
	case <-time.After(patience):
		g.Fatal("the request never came")
	}
}
