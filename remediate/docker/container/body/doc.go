// Package body builds the create request that makes a container again, and judges whether two
// containers are configured alike.
//
// It works on the engine's raw inspect answer and keeps every key it does not know, so that a field
// of a newer engine survives. It is pure: it reads nothing and calls nobody.
// There is no API promise before v1.
package body
