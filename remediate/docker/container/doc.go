// Package container changes containers and brings them back: [Updater] sets limits of a running
// container in place, [Recreator] lets a new container take an old one's place.
//
// A recreate keeps the old container, stopped and renamed, as its way back. The new one is made and
// judged while the old one still serves; only then does the service stop, for about as long as a
// restart takes. Requests are the engine's own JSON, edited and never passed through Go structs, so
// that fields this program does not know survive.
//
// There is no API promise before v1.
package container
