package vm

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "embed"

	"docker-harden/cmd/testhost/host"
)

//go:embed init.sh
var initScript string

// kernelPackage depends on the newest small kernel for virtual machines.
const kernelPackage = "linux-image-cloud-amd64"

// drivers are the modules of the disk and the network, in the order in which they need each other. What a
// kernel has built in is not there as a file.
var drivers = []string{
	"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
	"virtio_blk", "failover", "net_failover", "virtio_net",
}

// kernelName is the package of the kernel itself.
func kernelName(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", kernelPackage).Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the kernel for the virtual machine (run apt-get update): %w", err)
	}
	return parseKernel(string(out))
}

func parseKernel(depends string) (string, error) {
	for line := range strings.Lines(depends) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			return "linux-image-" + name, nil
		}
	}
	return "", fmt.Errorf("cannot find the kernel for the virtual machine: %s names none", kernelPackage)
}

// kernel is an unpacked kernel package.
type kernel struct {
	image   string // the file to boot
	modules string // the folder with its modules, named by the release
}

// fetchKernel unpacks the package into dir.
func fetchKernel(ctx context.Context, name, dir string) (kernel, error) {
	if err := host.Fetch(ctx, name, dir); err != nil {
		return kernel{}, fmt.Errorf("cannot get the kernel for the virtual machine (run apt-get update): %w", err)
	}
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return kernel{}, fmt.Errorf("cannot find one kernel in %s: %q", name, images)
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	for _, lib := range []string{"lib", "usr/lib"} {
		if modules := filepath.Join(dir, lib, "modules", release); isDirectory(modules) {
			return kernel{image: images[0], modules: modules}, nil
		}
	}
	return kernel{}, fmt.Errorf("cannot find the modules of %s", name)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// initrd packs the initial file system: busybox, the init script and the drivers.
func initrd(k kernel, busybox string) ([]byte, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, fmt.Errorf("cannot pack the initial file system: %w", err)
	}
	entries := []entry{
		{name: "bin", mode: isDir | 0o755},
		{name: "bin/busybox", mode: isFile | 0o755, data: program},
		{name: "init", mode: isFile | 0o755, data: []byte(initScript)},
	}
	for _, applet := range []string{"sh", "mount", "insmod", "ip", "sleep", "switch_root"} {
		entries = append(entries, entry{name: "bin/" + applet, mode: isLink | 0o777, data: []byte("busybox")})
	}
	for _, dir := range []string{"proc", "sys", "dev", "root", "modules"} {
		entries = append(entries, entry{name: dir, mode: isDir | 0o755})
	}
	entries = append(entries, entry{name: "modules/order", mode: isFile | 0o644, data: []byte(strings.Join(drivers, "\n") + "\n")})
	modules, err := findDrivers(k.modules)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := errors.Join(writeCPIO(zip, append(entries, modules...)), zip.Close()); err != nil {
		return nil, fmt.Errorf("cannot pack the initial file system: %w", err)
	}
	return packed.Bytes(), nil
}

// findDrivers reads the modules that there are. A compressed one could not be loaded by busybox.
func findDrivers(dir string) ([]entry, error) {
	var found []entry
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, ext, _ := strings.Cut(d.Name(), ".")
		for _, driver := range drivers {
			if name != driver {
				continue
			}
			if ext != "ko" {
				return fmt.Errorf("cannot use the driver %s: it is compressed", path)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found = append(found, entry{name: "modules/" + d.Name(), mode: isFile | 0o644, data: data})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the drivers of the virtual machine: %w", err)
	}
	return found, nil
}
