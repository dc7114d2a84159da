// Package compose writes override files for Docker Compose that keep what a plan changes: Compose
// makes a container again from its project's files, which know nothing of the plan. It reads an
// inventory and a plan and writes nothing itself. There is no API promise before v1.
package compose
