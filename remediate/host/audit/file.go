package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/internal/atomic"
)

// largest bounds the rules file.
const largest = 1 << 20

// head begins a rules file of ours. Without -c the first rule that cannot be loaded (its directory is not there yet)
// would keep all rules behind it, also those of other files, from being loaded.
const head = `## Rules of docker-harden: who changes the files of the Docker engine.
## docker-harden rollback takes them away again.
-c
`

// ruleFile is the rules file as it was.
type ruleFile struct {
	Exists bool              `json:"exists"`
	Data   []byte            `json:"data,omitempty"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	Mode   uint32            `json:"mode"`
	Xattrs map[string][]byte `json:"xattrs,omitempty"`
}

// readRules reads the file with all that belongs to it. A file that does not exist is no error.
func readRules(name string) (ruleFile, error) {
	var st unix.Stat_t
	err := unix.Lstat(name, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return ruleFile{}, nil
	}
	if err != nil {
		return ruleFile{}, fmt.Errorf("cannot look at %s: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return ruleFile{}, fmt.Errorf("cannot use %s: it is no regular file", name)
	}
	f := ruleFile{Exists: true, UID: int(st.Uid), GID: int(st.Gid), Mode: st.Mode & 0o7777}
	if f.Data, err = atomic.ReadFile(name, largest); err != nil {
		return ruleFile{}, err
	}
	f.Xattrs, err = atomic.ReadXattrs(name)
	return f, err
}

// write puts the file there as it was, or takes it away.
func (f ruleFile) write(name string) error {
	if !f.Exists {
		return atomic.Remove(name)
	}
	return atomic.WriteFile(name, f.Data, atomic.Options{UID: f.UID, GID: f.GID, Mode: goMode(f.Mode), Xattrs: f.Xattrs})
}

func goMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & uint32(fs.ModePerm))
	for bit, m := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= m
		}
	}
	return mode
}

// same reports whether two files cannot be told apart.
func (f ruleFile) same(g ruleFile) bool {
	return f.Exists == g.Exists && string(f.Data) == string(g.Data) && f.UID == g.UID && f.GID == g.GID && f.Mode == g.Mode &&
		maps.EqualFunc(f.said(g), g.said(f), bytes.Equal)
}

// said are the attributes to compare with those of another file. The kernel labels each file that is made (SELinux): a file
// that was only planned has no label yet, and is the same.
func (f ruleFile) said(g ruleFile) map[string][]byte {
	const label = "security.selinux"
	own := maps.Clone(f.Xattrs)
	if _, both := g.Xattrs[label]; !both {
		delete(own, label)
	}
	return own
}

// with is the file with more rules at its end. What stands in it already stays as it is.
func (f ruleFile) with(lines []string) ruleFile {
	const private = 0o640 // as the audit's own files
	text := strings.Builder{}
	switch {
	case !f.Exists:
		f.Exists, f.Mode = true, private
		text.WriteString(head)
	case !f.has("-c"):
		text.WriteString("-c\n")
	}
	text.Write(f.Data)
	if len(f.Data) > 0 && f.Data[len(f.Data)-1] != '\n' {
		text.WriteString("\n")
	}
	for _, line := range lines {
		if !f.has(line) {
			text.WriteString(line + "\n")
		}
	}
	f.Data = []byte(text.String())
	return f
}

// has reports whether a line stands in the file.
func (f ruleFile) has(line string) bool {
	for have := range strings.Lines(string(f.Data)) {
		if strings.TrimSpace(have) == line {
			return true
		}
	}
	return false
}

// boot names this boot of the machine.
func boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot tell one boot of this machine from the next: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
