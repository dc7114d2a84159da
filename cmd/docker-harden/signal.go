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
	"sync"
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
	said := &interruption{text: betweenSteps}
	ctx, cancel := context.WithCancelCause(context.WithValue(parent, interruptionKey{}, said))
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
			_, _ = fmt.Fprintf(stderr, "\ndocker-harden: got %s: %s\n", signalName(s.(syscall.Signal)), said.swap(""))
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		cancel(nil)
	}
}

// betweenSteps is what a person is told who interrupts work on a plan.
const betweenSteps = "stopping at the next safe point; once more to abandon (resume finishes it)"

// interruption is what a person is told who interrupts.
type interruption struct {
	mu   sync.Mutex
	text string
}

type interruptionKey struct{}

// swap says something else from now on and gives what was said until now; an empty text changes nothing.
func (i *interruption) swap(text string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.text
	if text != "" {
		i.text = text
	}
	return before
}

// onInterrupt says another thing to who interrupts, until the returned function is called: not every command stands
// between two steps.
func onInterrupt(ctx context.Context, text string) (back func()) {
	said, ok := ctx.Value(interruptionKey{}).(*interruption)
	if !ok {
		return func() {}
	}
	before := said.swap(text)
	return func() { said.swap(before) }
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
