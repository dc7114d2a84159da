package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// modeBits are the bits of a mode that [File] keeps.
const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// maxConfig is the largest daemon.json that is read.
const maxConfig = 1 << 20

// statFile looks at one host file; real must be resolved already. A file that does not exist is no error.
func (r hostRoot) statFile(real string) (File, error) {
	file := File{Path: real}
	info, err := os.Lstat(r.join(real))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return file, nil
	}
	if err != nil {
		return file, fmt.Errorf("cannot look at %s: %w", real, cause(err))
	}
	fillFile(&file, info)
	return file, nil
}

// readConfig reads a host file with its owner, mode, times and hash from one descriptor, so that
// they belong together. A file that does not exist is no error.
func (r hostRoot) readConfig(real string) (File, []byte, error) {
	file, err := r.statFile(real)
	if err != nil || !file.Exists {
		return file, nil, err
	}
	// O_NONBLOCK: a fifo in place of the file must not hang us; nothing else is affected.
	f, err := os.OpenFile(r.join(real), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return file, nil, fmt.Errorf("cannot read %s: %w", real, cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return file, nil, fmt.Errorf("cannot look at %s: %w", real, cause(err))
	}
	fillFile(&file, info)
	if !info.Mode().IsRegular() {
		return file, nil, fmt.Errorf("cannot read %s: it is not a regular file", real)
	}
	if info.Size() > maxConfig {
		return file, nil, fmt.Errorf("cannot read %s: it is larger than %d bytes", real, maxConfig)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return file, nil, fmt.Errorf("cannot read %s: %w", real, cause(err))
	}
	sum := sha256.Sum256(data)
	file.SHA256 = hex.EncodeToString(sum[:])
	return file, data, nil
}

func fillFile(file *File, info fs.FileInfo) {
	file.Exists = true
	file.Type = typeOf(info.Mode())
	file.Mode = info.Mode() & modeBits
	file.ModTime = info.ModTime().UTC()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		file.UID, file.GID = int(st.Uid), int(st.Gid)
		file.Changed = time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec)).UTC()
	}
}

// typeOf names what is no regular file.
func typeOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return TypeDirectory
	case mode&fs.ModeSocket != 0:
		return TypeSocket
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "pipe"
}

// cause drops the path from an error of package os: messages name host paths, not paths below a root.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// unixMode is a mode as chmod(1) writes it: permissions with setuid, setgid and sticky bits.
func unixMode(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			bits |= value
		}
	}
	return bits
}
