// Package layer reads, copies and compares the writable layers of containers: the upper directories
// of the overlay2 storage driver, which hold everything a container wrote outside its volumes.
//
// A layer may only be copied while neither of its two containers runs.
// There is no API promise before v1.
package layer
