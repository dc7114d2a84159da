// Package edit changes top-level keys of a daemon.json and leaves every other byte alone.
//
// A document passes a strict gate before it is edited and again afterwards ([Check]): the engine reads the
// last of two equal keys and an editor writes the first, so what is ambiguous is refused, with its line and
// column. After the edit the result is proved: it decodes to what was there plus the changes, and outside the
// edited spans it is the same, byte for byte.
//
// The package is pure: it reads and writes no files.
// There is no API promise before v1.
package edit
