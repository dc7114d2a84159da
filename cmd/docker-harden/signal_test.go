package main

import (
	"bytes"
	"context"
	"testing"
)

// Who interrupts is told what happens now, and after that what happens then.
func TestOnInterrupt(t *testing.T) {
	var out bytes.Buffer
	ctx, stop := withSignals(t.Context(), &out)
	defer stop()
	said, _ := ctx.Value(interruptionKey{}).(*interruption)
	back := onInterrupt(ctx, "ending the watch")
	inner := onInterrupt(context.WithoutCancel(ctx), betweenSteps)
	if got := said.swap(""); got != betweenSteps {
		t.Errorf("in a recreate: %q", got)
	}
	inner()
	if got := said.swap(""); got != "ending the watch" {
		t.Errorf("in a watch: %q", got)
	}
	back()
	if got := said.swap(""); got != betweenSteps {
		t.Errorf("after it: %q", got)
	}
	onInterrupt(t.Context(), "nobody listens")()
}
