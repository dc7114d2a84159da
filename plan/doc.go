// Package plan is the vocabulary of docker-harden and the pure function that turns findings into steps.
//
// A [Finding] is the verdict of one control on one [Resource], with the [Change]s that would satisfy it.
// [Build] merges the changes of all findings into [Step]s, one per resource, orders them, and returns a
// [Plan]: data that a person can review, that can be saved, and that the applier performs or refuses.
//
// The package reads nothing and writes nothing. It imports only the standard library.
// There is no API promise before v1.
package plan
