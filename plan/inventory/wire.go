package inventory

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// maxAnswer bounds what is read of one answer over a wire.
const maxAnswer = 64 << 20

// wire is one connection to an engine on this machine, for many requests one after the other. It
// spares what the engine's client does for each: a connection of its own when several ask at once,
// tracing, and decoding every field into a type.
//
// It only ever succeeds or steps aside: whatever is not a plain good answer is asked again by the
// client, whose errors are the ones people see.
type wire struct {
	dial func(context.Context) (net.Conn, error)
	api  string // "/v1.44"
	conn net.Conn
	in   *bufio.Reader
	data bytes.Buffer // the last answer; an engine does not say before how long it is
	stop func() bool
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
	if w == nil || !w.open(ctx) {
		return nil, false
	}
	data, ok := w.exchange(path)
	if !ok {
		w.close()
	}
	return data, ok
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

func (w *wire) exchange(path string) ([]byte, bool) {
	request := "GET " + w.api + path + " HTTP/1.1\r\nHost: " + client.DummyHost + "\r\n\r\n"
	if _, err := io.WriteString(w.conn, request); err != nil {
		return nil, false
	}
	answer, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, false
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Close {
		return nil, false
	}
	w.data.Reset()
	n, err := w.data.ReadFrom(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil || n > maxAnswer {
		return nil, false
	}
	return bytes.Clone(w.data.Bytes()), true
}

func (w *wire) close() {
	if w == nil || w.conn == nil {
		return
	}
	w.stop()
	_ = w.conn.Close()
	w.conn, w.in = nil, nil
}
