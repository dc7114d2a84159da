// Package remediate performs plans: the Runner applies the steps of a plan through handlers, writes
// the rollback file before each change, undoes a failed apply, and undoes or finishes one later.
// It decides nothing: every value it writes was in the plan.
// There is no API promise before v1.
package remediate
