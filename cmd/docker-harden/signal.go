package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// signalError is why a context was cancelled: the signal, kept for the exit status.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return "got " + signalName(e.signal) }

func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return s.String()
}

// errDockerGone is why a plugin's context was cancelled: the docker CLI that started it ended or was interrupted.
var errDockerGone = errors.New("docker closed the plugin's socket")

// withSignals cancels the context at the first SIGINT, SIGTERM or SIGHUP, which the applier sees
// between two steps. The second one kills, as signals usually do; the journal is made for that.
//
// SIGPIPE is taken and dropped: a reader of our output that goes away must not kill an apply half way.
func withSignals(parent context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-got:
			signal.Stop(got)
			cancel(signalError{s.(syscall.Signal)})
			_, _ = fmt.Fprintf(stderr, "\ndocker-harden: got %s: stopping at the next safe point; once more to abandon (resume finishes it)\n",
				signalName(s.(syscall.Signal)))
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		cancel(nil)
	}
}

// withDocker cancels the context when the docker CLI that runs us as a plugin goes away. Without a
// terminal it does not forward signals: it closes this socket, and kills us after three more.
func withDocker(parent context.Context, socket string) (context.Context, func(), error) {
	if socket == "" {
		return parent, func() {}, nil
	}
	conn, err := (&net.Dialer{}).DialContext(parent, "unix", abstract(socket))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot connect to the docker CLI's plugin socket: %w", err)
	}
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		cancel(errDockerGone)
	}()
	return ctx, func() {
		cancel(nil)
		_ = conn.Close()
	}, nil
}

// abstract names a socket as Go wants it: "@name" stands for the abstract name space.
func abstract(socket string) string {
	if strings.HasPrefix(socket, "\x00") {
		return "@" + socket[1:]
	}
	return socket
}
