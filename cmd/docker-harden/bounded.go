package main

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
)

// maxAnswer bounds one answer of an engine. The client decodes while it reads and knows no bound of its own, so
// that an endless answer would take all memory of the host. One of the list of 10 000 containers has about 20 MiB.
const maxAnswer = 64 << 20

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// bounded makes connections over which no answer can be endless.
func bounded(dial dialFunc) dialFunc {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &boundedConn{Conn: conn}, nil
	}
}

// boundedConn counts what comes back for each request. HTTP clients write and read side by side.
type boundedConn struct {
	net.Conn
	read atomic.Int64
}

// Write sends a request, or a part of one.
func (c *boundedConn) Write(p []byte) (int, error) {
	c.read.Store(0)
	return c.Conn.Write(p)
}

// Read gives the next part of an answer.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.read.Load() > maxAnswer {
		return 0, fmt.Errorf("the engine's answer has more than %d MiB", maxAnswer>>20)
	}
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}
