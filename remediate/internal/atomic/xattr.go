package atomic

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"
)

// contentBound are attributes that the kernel derives from a file's content; a copy on other content
// would be wrong.
var contentBound = []string{"security.ima", "security.evm"}

// ReadXattrs reads the extended attributes of a regular file or directory, access control lists and
// security labels among them. A file system without extended attributes has none.
func ReadXattrs(path string) (map[string][]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	return readXattrs(f)
}

func readXattrs(f *os.File) (map[string][]byte, error) {
	names, err := xattr.FList(f)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list extended attributes: %w", err)
	}
	attrs := make(map[string][]byte)
	for _, name := range names {
		if slices.Contains(contentBound, name) {
			continue
		}
		value, err := xattr.FGet(f, name)
		if errors.Is(err, xattr.ENOATTR) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read extended attribute %s: %w", name, err)
		}
		attrs[name] = value
	}
	return attrs, nil
}

// inherited is the access list that a new file takes from its directory's default one.
const inherited = "system.posix_acl_access"

// writeXattrs sets every attribute or fails: a configuration file without its security label may be
// a file that the engine cannot read.
func writeXattrs(f *os.File, attrs map[string][]byte) error {
	if _, wanted := attrs[inherited]; !wanted {
		err := xattr.FRemove(f, inherited)
		if err != nil && !errors.Is(err, xattr.ENOATTR) && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("cannot remove the inherited access control list: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if err := xattr.FSet(f, name, attrs[name]); err != nil {
			return fmt.Errorf("cannot set extended attribute %s: %w", name, err)
		}
	}
	return nil
}
