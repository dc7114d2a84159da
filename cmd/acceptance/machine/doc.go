// Package machine drives the built docker-harden on a virtual machine, for what kernel namespaces cannot
// show. It has tests only, and those only with the build tag vm: make test-vm runs them.
package machine
