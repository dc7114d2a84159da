// Package report writes plans, findings and controls for people (text, Markdown) and programs (JSON).
//
// Every format is made from the same values; none of them decides anything. Text that came from the
// host (container names, paths, messages) passes [Clean] before it is printed.
// There is no API promise before v1.
package report
