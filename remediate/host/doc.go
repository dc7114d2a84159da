// Package host changes what is not the engine's own: owner and mode of files, and whether the
// engine's process runs.
//
// [FileMode] performs the steps on files. [Open] gives the [Manager] of a [Service]: systemd over
// D-Bus, or a bare process that nobody supervises. Managers only start, stop and signal; whether the
// engine then answers is for others to see. No manager ever kills an engine that does not stop by
// itself: its containers would be orphaned.
// There is no API promise before v1.
package host
