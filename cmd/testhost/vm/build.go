package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"docker-harden/cmd/testhost/host"
)

// buildVersion moves when machines are built differently.
const buildVersion = 2

// images are in every machine: it has no way to get others quickly.
var images = []string{"busybox", "anonvol"}

// prefix of the directories of running machines.
const prefix = "docker-harden-vm-"

// Build builds the machine, or finds it in the cache, and returns its directory.
func Build(ctx context.Context) (string, error) {
	if debs := Missing(); len(debs) > 0 {
		return "", fmt.Errorf("cannot build the virtual machine: programs are missing; install them with: %s (or run .ci/deps vm)", host.AptCommand(debs))
	}
	cache, err := host.CacheDir()
	if err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(cache, "vm.lock"))
	if err := lock.Lock(); err != nil {
		return "", fmt.Errorf("cannot lock the image cache: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	root, err := host.Root(ctx, host.Virtual)
	if err != nil {
		return "", err
	}
	name, err := kernelName(ctx)
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%d %s %s %q %q %q", buildVersion, filepath.Base(root), name, initScript, images, arguments(files{}, "", 0, false)))
	dir := filepath.Join(cache, "vm-"+hex.EncodeToString(key[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	young := dir + ".building"
	if err := os.RemoveAll(young); err != nil { // of an interrupted build
		return "", err
	}
	if err := build(ctx, root, name, young); err != nil {
		return "", errors.Join(fmt.Errorf("cannot build the virtual machine: %w", err), os.RemoveAll(young))
	}
	return dir, os.Rename(young, dir)
}

// build makes kernel, initial file system and disk, boots once, and keeps the state.
func build(ctx context.Context, root, kernelDeb, dir string) error {
	tree, unpacked := filepath.Join(dir, "tree"), filepath.Join(dir, "kernel")
	if err := os.MkdirAll(unpacked, 0o755); err != nil {
		return err
	}
	k, err := fetchKernel(ctx, kernelDeb, unpacked)
	if err != nil {
		return err
	}
	packed, err := initrd(k, filepath.Join(root, "usr/bin/busybox"))
	if err != nil {
		return err
	}
	// Hard links: the disk is filled from here, nothing is written to the files of the cache.
	if err := tool(ctx, "cp", "-al", root, tree); err != nil {
		return err
	}
	if err := furnish(ctx, tree, dir, k); err != nil {
		return err
	}
	f := in(dir)
	if err := os.WriteFile(f.initrd, packed, 0o600); err != nil {
		return err
	}
	if err := os.Rename(k.image, f.kernel); err != nil {
		return err
	}
	raw := filepath.Join(dir, "disk.img")
	if err := tool(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, raw, "6G"); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(tree), os.RemoveAll(unpacked)); err != nil {
		return err
	}
	if err := tool(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", f.disk); err != nil {
		return err
	}
	return firstBoot(ctx, dir)
}

// in names the files of a built machine.
func in(dir string) files {
	return files{kernel: filepath.Join(dir, "vmlinuz"), initrd: filepath.Join(dir, "initrd.gz"), disk: filepath.Join(dir, snapshot+".qcow2")}
}

// furnish puts into the tree what makes it a machine: modules, a name, and keys.
func furnish(ctx context.Context, tree, dir string, k kernel) error {
	release := filepath.Base(k.modules)
	modules := filepath.Join(tree, "usr/lib/modules")
	if err := os.MkdirAll(modules, 0o755); err != nil {
		return err
	}
	if err := tool(ctx, "cp", "-a", k.modules, filepath.Join(modules, release)); err != nil {
		return err
	}
	if err := tool(ctx, "chroot", tree, "depmod", release); err != nil {
		return err
	}
	private, authorized, err := newKeys()
	if err != nil {
		return err
	}
	public, err := os.ReadFile(filepath.Join(tree, "etc/ssh/ssh_host_ed25519_key.pub"))
	if err != nil {
		return err
	}
	for path, data := range map[string][]byte{
		filepath.Join(dir, "id"):                         private,
		filepath.Join(dir, "guest.pub"):                  public,
		filepath.Join(tree, "root/.ssh/authorized_keys"): authorized,
		filepath.Join(tree, "etc/hostname"):              []byte("testmachine\n"),
		filepath.Join(tree, "etc/machine-id"):            nil, // made at the first start
	} {
		if err := replace(path, data); err != nil {
			return err
		}
	}
	return nil
}

// replace writes a new file: the old one is a link to one in the cache.
func replace(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	mode := os.FileMode(0o600)
	if strings.Contains(path, "/etc/") {
		mode = 0o644
	}
	return os.WriteFile(path, data, mode)
}

// firstBoot starts the machine, loads its images and keeps its state.
func firstBoot(ctx context.Context, dir string) error {
	state, err := os.MkdirTemp("", prefix)
	if err != nil {
		return err
	}
	k, err := readKeys(dir)
	if err != nil {
		return err
	}
	m, err := start(in(dir), state, k, false)
	if err != nil {
		return err
	}
	err = m.settled(ctx)
	for _, name := range images {
		if err == nil {
			err = m.load(ctx, name)
		}
	}
	if err == nil {
		err = m.must(ctx, nil, "sync")
	}
	if err == nil {
		m.hangUp()
		err = m.save(ctx)
	}
	return errors.Join(err, m.Close())
}

// load brings a sample image into the machine's engine.
func (m *Machine) load(ctx context.Context, name string) error {
	image, err := host.Lookup(name)
	if err != nil {
		return err
	}
	path, err := host.Build(ctx, image)
	if err != nil {
		return err
	}
	archive, err := os.Open(path)
	if err != nil {
		return err
	}
	defer archive.Close()
	command := "docker import"
	for _, change := range image.Changes {
		command += " --change " + quote(change)
	}
	return m.must(ctx, archive, command+" - "+image.Reference())
}

// quote makes one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Start starts a machine from the kept state, on a disk of its own.
func Start(ctx context.Context) (*Machine, error) {
	dir, err := Build(ctx)
	if err != nil {
		return nil, err
	}
	k, err := readKeys(dir)
	if err != nil {
		return nil, err
	}
	state, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, err
	}
	f := in(dir)
	own := filepath.Join(state, "disk.qcow2")
	err = copyFile(f.disk, own)
	if err == nil {
		err = tool(ctx, "qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", filepath.Join(dir, "disk.img"), own)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make the disk of the virtual machine: %w", err), os.RemoveAll(state))
	}
	f.disk = own
	m, err := start(f, state, k, true)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(state))
	}
	// Its clock stands where the state was kept.
	if err := m.must(ctx, nil, fmt.Sprintf("date -s @%d", time.Now().Unix())); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// tool runs a program of this machine.
func tool(ctx context.Context, name string, args ...string) error {
	path, err := host.Find(name)
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
