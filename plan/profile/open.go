package profile

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// DefaultDir is where profiles of this host are looked for by name.
const DefaultDir = "/etc/docker-harden/profiles"

//go:embed embedded/*.yaml
var embedded embed.FS

// Names lists the embedded profiles, least strict first.
func Names() []string { return []string{"baseline", "cis-level1", "cis-level2"} }

// Embedded gives the text of an embedded profile.
func Embedded(name string) ([]byte, bool) {
	data, err := embedded.ReadFile("embedded/" + name + ".yaml")
	return data, err == nil
}

// embeddedSource is how errors name an embedded profile; no file path can be equal to it.
func embeddedSource(name string) string { return "embedded:" + name + ".yaml" }

// Open loads a profile by the name of an embedded one, by path, or by name in [DefaultDir].
func Open(nameOrPath string, c Catalog) (*Profile, error) { return open(nameOrPath, DefaultDir, c) }

func open(nameOrPath, dir string, c Catalog) (*Profile, error) {
	if data, ok := Embedded(nameOrPath); ok {
		return Load(data, embeddedSource(nameOrPath), c)
	}
	data, source, err := locate(nameOrPath, dir)
	if err != nil {
		return nil, err
	}
	return Load(data, source, c)
}

func locate(nameOrPath, dir string) (data []byte, source string, err error) {
	if nameOrPath == "" {
		return nil, "", errors.New("cannot open profile: its name is empty")
	}
	data, err = readFile(nameOrPath)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return data, nameOrPath, wrapOpen(nameOrPath, err)
	}
	if !nameForm.MatchString(nameOrPath) {
		return nil, "", wrapOpen(nameOrPath, err)
	}
	source = filepath.Join(dir, strings.TrimSuffix(nameOrPath, ".yaml")+".yaml")
	data, err = readFile(source)
	if errors.Is(err, fs.ErrNotExist) {
		hint := "embedded are " + strings.Join(Names(), ", ")
		if meant := nearest(nameOrPath, Names()); meant != "" {
			hint = fmt.Sprintf("did you mean %q?", meant)
		}
		return nil, "", fmt.Errorf("unknown profile %q: no such file here or in %s; %s", nameOrPath, dir, hint)
	}
	return data, source, wrapOpen(nameOrPath, err)
}

func wrapOpen(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot open profile %q: %w", name, err)
}

// readFile reads a regular file of bounded size; a pipe or device named by mistake does not hang it.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	// One byte more than allowed, so that the loader sees that it is too large.
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}
