// Package crashtest kills the tool, the engine and the whole host at every point of every kind of step,
// and proves that resume and rollback bring the host to the new or the old state. Its tests work on real
// engines with the real program, built with the tag crashpoints (see remediate/internal/crash).
//
// An ordinary run takes a sample of the points, resume and rollback in turn. With DOCKER_HARDEN_TEST_THOROUGH=1,
// as make reliability sets it, everything is killed at every point of every kind, systemd's engine too, once
// before a resume and once before a rollback.
package crashtest
