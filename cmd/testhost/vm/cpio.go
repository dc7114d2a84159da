package vm

import (
	"fmt"
	"io"
	"path"
)

// An entry is one file, folder or link of an initial file system.
type entry struct {
	name string
	mode uint32 // type and permissions, as stat shows them
	data []byte // content, or where a link leads
}

// Types of entries.
const (
	isDir  = 0o040000
	isFile = 0o100000
	isLink = 0o120000
)

// writeCPIO writes entries in the format that the kernel unpacks ("newc"). Folders come before what
// is in them.
func writeCPIO(w io.Writer, entries []entry) error {
	for i, e := range append(entries, entry{name: "TRAILER!!!"}) {
		name := path.Clean(e.name) + "\x00"
		header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			i+1, e.mode, 0, 0, 1, 0, len(e.data), 0, 0, 0, 0, len(name), 0)
		for _, part := range []string{pad(header + name), pad(string(e.data))} {
			if _, err := io.WriteString(w, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// pad fills up to a multiple of four bytes.
func pad(s string) string {
	for len(s)%4 != 0 {
		s += "\x00"
	}
	return s
}
