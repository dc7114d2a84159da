package layer

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// copyContent makes a new file with the content of another one, holes among it. It is on disk only after [flush]: to
// wait for each file would take most of the time in which the service stands still.
func copyContent(to, from string) (err error) {
	const private = 0o600
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := dst.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		begin, end, err := data(src, at, info.Size())
		if err != nil {
			return fmt.Errorf("cannot find the content of %s: %w", from, err)
		}
		if err := copyRange(dst, src, begin, end); err != nil {
			return fmt.Errorf("cannot copy %s: %w", from, err)
		}
		at = end
	}
	return nil
}

// data is where the next bytes of a file are that are no hole; at its end where there are none.
func data(f *os.File, at, size int64) (begin, end int64, err error) {
	begin, err = unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP):
		return at, size, nil // a file system that knows of no holes
	case err != nil:
		return 0, 0, err
	}
	end, err = unix.Seek(int(f.Fd()), begin, unix.SEEK_HOLE)
	return begin, min(end, size), err
}

func copyRange(dst, src *os.File, begin, end int64) error {
	for _, f := range []*os.File{src, dst} {
		if _, err := f.Seek(begin, io.SeekStart); err != nil {
			return err
		}
	}
	_, err := io.CopyN(dst, src, end-begin)
	return err
}
