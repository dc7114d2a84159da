package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// ask puts a yes-or-no question to a person. Nothing but a clear yes is yes. Where nobody can be
// asked it fails, naming the flag that answers: no environment variable stands for it.
func (a *app) ask(ctx context.Context, question, flag string) error {
	if !isTerminal(a.in) || !isTerminal(a.err) {
		return fmt.Errorf("%w: this needs a yes, and there is no terminal to ask; look at the plan, then use %s", errDeclined, flag)
	}
	_, _ = fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errDeclined, context.Canceled)
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		if !strings.HasSuffix(line, "\n") {
			a.say("")
		}
		return fmt.Errorf("%w: declined", errDeclined)
	}
}
