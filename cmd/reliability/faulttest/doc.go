// Package faulttest proves what docker-harden does when something breaks under it: disks that fill up,
// files that cannot be written, editors and connections that come between, signals, damaged files. Each
// test drives the built program on an isolated Docker host of its own, from outside of it. It has tests only.
package faulttest
