package inventory

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// wire is one connection to an engine on this machine, for many requests. It spares what the engine's
// client does for each: a connection of its own when several ask at once, tracing, and decoding every
// field into a type. Requests may be sent ahead: the engine answers them in order while the answers
// before are worked on.
//
// It only ever succeeds or steps aside: whatever is not a plain good answer is asked again by the
// client, whose errors are the ones people see.
type wire struct {
	dial func(context.Context) (net.Conn, error)
	api  string // "/v1.44"
	conn net.Conn
	in   *bufio.Reader
	stop func() bool
	size int // of the last answer: the next is about as long
}

// newWire is nil for an engine that is not asked over a socket of this machine, or not by the
// engine's own client alone. The client's API version must be negotiated.
func newWire(reader Reader) *wire {
	c, ok := reader.(*client.Client)
	if !ok || !strings.HasPrefix(c.DaemonHost(), "unix://") {
		return nil
	}
	return &wire{dial: c.Dialer(), api: "/v" + strings.TrimPrefix(c.ClientVersion(), "v")}
}

// get asks for a path below the API version. false: ask the client instead.
func (w *wire) get(ctx context.Context, path string) ([]byte, bool) {
	w.ask(ctx, path)
	return w.next()
}

// ask sends requests without waiting for their answers, which next returns in the same order. All
// answers to earlier requests must have been taken. What could not be sent has no answer.
func (w *wire) ask(ctx context.Context, paths ...string) {
	if w == nil || !w.open(ctx) {
		return
	}
	var requests strings.Builder
	for _, path := range paths {
		requests.WriteString("GET " + w.api + path + " HTTP/1.1\r\nHost: " + client.DummyHost + "\r\n\r\n")
	}
	if _, err := io.WriteString(w.conn, requests.String()); err != nil {
		w.close()
	}
}

// next is the answer to the oldest request without one. false: ask the client instead; the requests
// behind it have no answers then either.
func (w *wire) next() ([]byte, bool) {
	if w == nil || w.conn == nil {
		return nil, false
	}
	data, ok := readAnswer(w.in, w.size)
	if !ok {
		w.close()
		return nil, false
	}
	w.size = len(data)
	return data, true
}

// open connects unless that is done. A context that ends breaks off what is under way.
func (w *wire) open(ctx context.Context) bool {
	if w.conn != nil {
		return true
	}
	conn, err := w.dial(ctx)
	if err != nil {
		return false
	}
	const usual = 16 << 10 // bytes of an answer
	w.conn, w.in = conn, bufio.NewReaderSize(conn, usual)
	w.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return true
}

func (w *wire) close() {
	if w == nil || w.conn == nil {
		return
	}
	w.stop()
	_ = w.conn.Close()
	w.conn, w.in = nil, nil
}
