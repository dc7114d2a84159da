// Package atomic replaces files so that a crash at any instant leaves the old file or the new one,
// whole, with the owner, mode and extended attributes that were asked for.
//
// It works in the directory of the file, because a rename is atomic only there. What a crash may
// leave is a hidden temporary file, which [Leftovers] finds. Paths are taken as they are: a symlink
// at the end is refused, since replacing it would leave its target as it was.
package atomic
