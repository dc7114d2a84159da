package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func content(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRewrite: the content changes, and nothing else of the file does.
func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	name, link := filepath.Join(dir, "file"), filepath.Join(dir, "sub", "link")
	if err := errors.Join(
		os.WriteFile(name, []byte("old"), 0o600), os.Chown(name, 12, 34), os.Chmod(name, 0o640|os.ModeSetgid),
		os.Mkdir(filepath.Dir(link), 0o700), os.Symlink("../file", link),
	); err != nil {
		t.Fatal(err)
	}
	marked := unix.Setxattr(name, "user.mark", []byte("x"), 0) == nil // not every file system has them
	if err := Rewrite(link, []byte("old"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if got := content(t, name); got != "new" || st.Uid != 12 || st.Gid != 34 || info.Mode() != 0o640|os.ModeSetgid {
		t.Errorf("%q, %d:%d %v", got, st.Uid, st.Gid, info.Mode())
	}
	mark := make([]byte, 1)
	if n, err := unix.Getxattr(name, "user.mark", mark); marked && (err != nil || string(mark[:n]) != "x") {
		t.Errorf("the extended attribute is %q, %v", mark, err)
	}
	if to, err := os.Readlink(link); err != nil || to != "../file" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// TestRewriteRefuses: a file that is not as it was read, and what is no file of its own.
func TestRewriteRefuses(t *testing.T) {
	dir := t.TempDir()
	name, twin := filepath.Join(dir, "file"), filepath.Join(dir, "twin")
	if err := os.WriteFile(name, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Rewrite(name, []byte("old"), []byte("new")); !errors.Is(err, errMoved) || content(t, name) != "other" {
		t.Errorf("changed meanwhile: %v", err)
	}
	if err := Rewrite(filepath.Join(dir, "none"), nil, []byte("new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	if err := Rewrite(dir, nil, []byte("new")); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a directory: %v", err)
	}
	if err := os.Link(name, twin); err != nil {
		t.Fatal(err)
	}
	if err := Rewrite(name, []byte("other"), []byte("new")); err == nil || !strings.Contains(err.Error(), "2 hard links") || content(t, twin) != "other" {
		t.Errorf("two names: %v", err)
	}
}
