// Package canary proves that an engine can still create and start a container, and says what that container
// was given: an engine may start, answer, and refuse every container (an unknown log driver, a limit that
// cannot be set, a security module that forbids its programs).
//
// The container has no network, one program of some 130 bytes that sleeps, and an image with nothing else in
// it, imported for it. Both carry a label and are removed afterwards, also by [Sweep] when a run was killed.
//
// There is no API promise before v1.
package canary
