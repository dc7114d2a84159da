package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"docker-harden/plan"
	"docker-harden/plan/baseline"
	"docker-harden/plan/inventory"
	"docker-harden/plan/report"
)

// writePrivate writes a file that only its owner reads, whole or not at all.
func writePrivate(name string, data []byte, ours func([]byte) bool) error {
	return writeWhole(name, data, 0o600, ours)
}

// writeWhole writes a file whole or not at all. An existing file is replaced only when it is one of
// ours: a slip of the hand must not cost somebody's work, and in a directory like /tmp nobody may
// make root write where he likes.
func writeWhole(name string, data []byte, mode fs.FileMode, ours func([]byte) bool) error {
	if err := replaceable(name, ours); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// replaceable checks what stands at name now. The rename that follows does not follow links either.
func replaceable(name string, ours func([]byte) bool) error {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link; name the file itself")
	case info.IsDir():
		return errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to uid %d, not to you", st.Uid)
	}
	if info.Size() == 0 {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !ours(data) {
		return errors.New("it exists and holds something else; choose another name or remove it")
	}
	return nil
}

// isPlanFile recognises a plan of any version, edited ones included.
func isPlanFile(data []byte) bool {
	if _, _, err := plan.Decode(data); err == nil || errors.Is(err, plan.ErrEdited) {
		return true
	}
	var file struct {
		SHA256 string `json:"sha256"`
		Plan   struct {
			Format string `json:"format"`
		} `json:"plan"`
	}
	return json.Unmarshal(data, &file) == nil && file.SHA256 != "" && file.Plan.Format != ""
}

// isSnapshot recognises a saved inventory.
func isSnapshot(data []byte) bool {
	var file struct {
		Format string `json:"format"`
	}
	return json.Unmarshal(data, &file) == nil && file.Format == inventory.SnapshotFormat
}

// isBaseline recognises a baseline that can be read, so that none is lost that cannot.
func isBaseline(data []byte) bool {
	_, err := baseline.Decode(data)
	return err == nil
}

// totalLine is in every report that check writes as text.
var totalLine = regexp.MustCompile(`(?m)^\d+ verdicts: .*\.$`)

// isReport recognises what check wrote, in any of its formats.
func isReport(data []byte) bool {
	var file struct {
		Format string `json:"format"`
		Runs   []struct {
			Tool struct {
				Driver struct {
					Name string `json:"name"`
				} `json:"driver"`
			} `json:"tool"`
		} `json:"runs"`
	}
	if json.Unmarshal(data, &file) == nil {
		return file.Format == report.FindingsFormat || len(file.Runs) == 1 && file.Runs[0].Tool.Driver.Name == program
	}
	return bytes.HasPrefix(data, []byte(report.MarkdownTitle)) ||
		bytes.HasPrefix(data, []byte("<?xml")) && bytes.Contains(data, []byte(`<testsuites name="`+report.JUnitName+`"`)) ||
		totalLine.Match(data)
}
