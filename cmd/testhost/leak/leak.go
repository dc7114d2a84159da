// Package leak lets a package's tests fail when they leave goroutines behind: a tool that runs for hours under a
// watchdog, or holds a lock, must not.
package leak

import (
	"fmt"
	"os"

	"go.uber.org/goleak"
)

// Tests is what [Checked] wraps: a *testing.M, or anything that ends in one.
type Tests interface{ Run() int }

// Engines allows the goroutines that wait for engines which the tests started as bare processes: they live as long as
// the engine, lest it ends as a zombie that keeps the next one from starting.
func Engines() goleak.Option {
	return goleak.IgnoreAnyFunction("docker-harden/remediate/host.(*bare).spawn.func1")
}

// Checked is m, failing when goroutines remain after tests that passed. It goes into host.Main, which has TestMain.
func Checked(m Tests, options ...goleak.Option) Tests { return checked{m, options} }

type checked struct {
	tests   Tests
	options []goleak.Option
}

// Run runs the tests, then waits for goroutines that are about to end.
func (c checked) Run() int {
	code := c.tests.Run()
	if code != 0 {
		return code // whoever fails may leave things behind
	}
	if err := goleak.Find(c.options...); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines remain after the tests:", err)
		return 1
	}
	return 0
}
