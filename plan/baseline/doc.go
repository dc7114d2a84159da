// Package baseline keeps the failures of a host that are known, so that a gate can ask for new ones only.
//
// A baseline names a failure by its control and its target (container/web), never by an id: a container that
// is made again under its name is the same to it. Whoever reviews a change of the file reviews what is let through.
// There is no API promise before v1.
package baseline
