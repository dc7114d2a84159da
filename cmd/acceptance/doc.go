// Package acceptance drives the built docker-harden on isolated Docker hosts as an operator would:
// it has tests only.
package acceptance
