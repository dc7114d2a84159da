// Package container changes containers and brings them back: [Updater] sets limits of a running
// container in place, [Recreator] lets a new container take an old one's place.
//
// A recreate keeps the old container, stopped and renamed, as its way back. The new one is made and
// judged while the old one still serves; only then does the service stop, for about as long as a
// restart takes. Requests are the engine's own JSON, edited and never passed through Go structs, so
// that fields this program does not know survive.
//
// Containers that are bound to one that is recreated go along in the same step: those that keep to the
// very container are recreated too, those that only wait for it are stopped and started. Every part of
// the work is done for all of them before the next: they are made and judged while all old ones serve,
// stop in one order, and start in the other. See do.go for the way there and undo.go for the way back.
//
// The old container stays until Commit. One that Docker Compose made is the exception: Compose finds
// containers by their labels, so "docker compose start" would start the old one beside the new one. It
// is removed as the last act of the step, which is why its writable layer must be empty; Undo makes
// it again from the record, with its volumes, and with a new id.
//
// There is no API promise before v1.
package container
