package host

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

const redisID = 101

// capabilityRecord is where an archive has the file capabilities of an entry.
const capabilityRecord = "SCHILY.xattr.security.capability"

const passwdFile = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
redis:x:101:101:redis:/data:/bin/false
app::1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`

const groupFile = `root:x:0:
daemon:x:1:
tty:x:5:
adm:x:4:
www-data:x:33:
redis:x:101:
app:x:1000:
nogroup:x:65534:
`

// An archive is an image's file system on its way into a tar file. A path is
// written once: what is added first wins, so the recipe's files come first.
type archive struct {
	tar     *tar.Writer
	seen    map[string]bool
	busybox []byte
	applets []string
}

func newArchive(ctx context.Context, out io.Writer, busybox string) (*archive, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	names, err := applets(ctx, busybox)
	if err != nil {
		return nil, err
	}
	return &archive{tar: tar.NewWriter(out), seen: map[string]bool{}, busybox: program, applets: names}, nil
}

// image writes everything of one image.
func (a *archive) image(ctx context.Context, i Image) error {
	if err := a.files(i.Files); err != nil {
		return err
	}
	if err := a.files(baseFiles()); err != nil {
		return err
	}
	if len(i.Packages) > 0 {
		if err := a.packages(ctx, i); err != nil {
			return err
		}
	}
	if err := a.links(); err != nil {
		return err
	}
	return a.tar.Close()
}

// baseFiles are the same in every image.
func baseFiles() []File {
	return []File{
		{Path: "bin", Mode: 0o755, Dir: true},
		{Path: "etc", Mode: 0o755, Dir: true},
		{Path: "home/app", Mode: 0o755, UID: 1000, GID: 1000, Dir: true},
		{Path: "root", Mode: 0o700, Dir: true},
		{Path: "run", Mode: 0o755, Dir: true},
		{Path: "tmp", Mode: 0o1777, Dir: true},
		{Path: "var/tmp", Mode: 0o1777, Dir: true},
		{Path: "etc/passwd", Mode: 0o644, Text: passwdFile},
		{Path: "etc/group", Mode: 0o644, Text: groupFile},
		{Path: "bin/busybox", Mode: 0o755, Busybox: true},
	}
}

// files writes what is not there yet.
func (a *archive) files(list []File) error {
	for _, f := range list {
		content := []byte(f.Text)
		if f.Busybox {
			content = a.busybox
		}
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.Path, Mode: f.Mode, Uid: f.UID, Gid: f.GID,
			Size: int64(len(content)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}
		if f.Dir {
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if len(f.Capability) > 0 {
			h.PAXRecords = map[string]string{capabilityRecord: string(f.Capability)}
		}
		if err := a.add(h, bytes.NewReader(content)); err != nil {
			return err
		}
	}
	return nil
}

// add writes one entry unless its path is there already.
func (a *archive) add(h *tar.Header, content io.Reader) error {
	name := path.Clean(strings.TrimPrefix(h.Name, "/"))
	if a.seen[name] || name == "." {
		return nil
	}
	a.seen[name] = true
	h.Name = name
	if h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
	if err := a.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	if _, err := io.Copy(a.tar, content); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

// links makes busybox answer to its names, where no package brought the program.
func (a *archive) links() error {
	for _, name := range a.applets {
		if a.seen["usr/bin/"+name] || a.seen["usr/sbin/"+name] || a.seen["sbin/"+name] {
			continue
		}
		h := &tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777, ModTime: time.Unix(0, 0)}
		if err := a.add(h, nil); err != nil {
			return err
		}
	}
	return nil
}

// packages copies the unpacked packages, without what no container reads.
func (a *archive) packages(ctx context.Context, i Image) error {
	cmd := unpack(ctx, i.Packages)
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot unpack Debian packages (%s): %w", AptCommand(Missing(true)), err)
	}
	copied := a.copyFrom(tar.NewReader(out), i)
	_, drained := io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("cannot unpack Debian packages %v: %w: %s", i.Packages, err, lastLines(stderr.String(), 5))
	}
	return errors.Join(copied, drained)
}

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], " | ")
}

func (a *archive) copyFrom(r *tar.Reader, i Image) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read unpacked packages: %w", err)
		}
		name := path.Clean(h.Name)
		without := append(i.Without, notInContainers...)
		if below(name, without) || h.Typeflag == tar.TypeLink && below(path.Clean(h.Linkname), without) {
			continue
		}
		if slices.Contains(i.Capable, name) {
			h.PAXRecords = map[string]string{capabilityRecord: capNetRaw}
		}
		h.Format = tar.FormatPAX
		h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
		if err := a.add(h, r); err != nil {
			return err
		}
	}
}

// notInContainers are files of packages that no container reads.
var notInContainers = []string{
	"dev", "proc", "sys", "var/lib/apt", "var/lib/dpkg", "var/cache", "usr/share/doc", "usr/share/man",
	"usr/share/locale", "usr/share/i18n", "usr/share/zoneinfo", "usr/share/perl", "usr/share/info", "etc/apt", "etc/resolv.conf",
}

// below tells whether a path is one of these or lies in one.
func below(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}
