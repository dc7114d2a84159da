// Package engines drives the built docker-harden on isolated hosts with newer engines than the machine's
// own, as an operator would. It has tests only, and those only with the build tag engines: make test-engines
// runs them once an engine.
package engines
