package vm

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"docker-harden/cmd/testhost/host"
)

//go:embed keeper.sh
var keeperScript string

// snapshot names the state of the memory that machines start from.
const snapshot = "ready"

// files are what a machine is made of.
type files struct{ kernel, initrd, disk string }

// arguments start QEMU. Without KVM: where it works for some and not for others, a snapshot of one would not
// run for the other.
func arguments(f files, dir string, port int, load bool) []string {
	args := []string{
		"qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none",
		"-serial", "file:" + filepath.Join(dir, "console.log"),
		"-qmp", "unix:" + filepath.Join(dir, "monitor") + ",server=on,wait=off",
		"-kernel", f.kernel, "-initrd", f.initrd, "-append", "console=ttyS0 panic=-1 rw mitigations=off quiet",
		"-drive", "file=" + f.disk + ",if=virtio,cache=unsafe",
		"-nic", "user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:" + strconv.Itoa(port) + "-:22",
	}
	if load {
		args = append(args, "-loadvm", snapshot)
	}
	return args
}

// A Machine is a running virtual machine.
type Machine struct {
	dir    string // its files; the keeper removes them
	port   int    // its ssh on the loopback interface
	keys   keys
	keeper *exec.Cmd
	hold   io.Closer // closed: the keeper ends the machine
	link   *link
}

// start runs QEMU below a keeper.
func start(f files, dir string, k keys, load bool) (*Machine, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	reading, writing, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reading.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeperScript, "keeper", dir}, arguments(f, dir, port, load)...)...)
	cmd.ExtraFiles = []*os.File{reading}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		writing.Close()
		return nil, fmt.Errorf("cannot start the virtual machine: %w", err)
	}
	return &Machine{dir: dir, port: port, keys: k, keeper: cmd, hold: writing}, nil
}

// freePort asks the kernel for a port nobody has. Somebody else could take it before QEMU does; QEMU then
// ends, and says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	defer l.Close()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("internal error: a TCP listener without a TCP address")
	}
	return addr.Port, nil
}

// Close ends the machine at once and removes its files.
func (m *Machine) Close() error {
	m.hangUp()
	if err := m.hold.Close(); err != nil {
		return nil // closed before
	}
	if err := m.keeper.Wait(); err != nil {
		return fmt.Errorf("cannot remove the virtual machine: %w", err)
	}
	return nil
}

// order sends one command to QEMU and returns its answer.
func (m *Machine) order(ctx context.Context, command string, arguments any) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(m.dir, "monitor"))
	if err != nil {
		return "", fmt.Errorf("cannot reach the virtual machine's monitor: %w: %s", err, m.said())
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return "", err
	}
	answers := bufio.NewReader(conn)
	if _, err := answers.ReadString('\n'); err != nil { // its greeting
		return "", fmt.Errorf("cannot read from the virtual machine's monitor: %w", err)
	}
	if _, err := ask(conn, answers, "qmp_capabilities", nil); err != nil {
		return "", err
	}
	return ask(conn, answers, command, arguments)
}

// ask sends one command over a connection that is open, and skips what QEMU says unasked.
func ask(w io.Writer, r *bufio.Reader, command string, arguments any) (string, error) {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(w).Encode(request); err != nil {
		return "", fmt.Errorf("cannot tell the virtual machine %s: %w", command, err)
	}
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return "", fmt.Errorf("cannot read the answer of the virtual machine to %s: %w", command, err)
		}
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		switch err := json.Unmarshal(line, &answer); {
		case err != nil:
			return "", fmt.Errorf("cannot read the answer of the virtual machine to %s: %w", command, err)
		case answer.Error != nil:
			return "", fmt.Errorf("cannot tell the virtual machine %s: %s", command, answer.Error.Desc)
		case answer.Return != nil:
			return strings.Trim(string(answer.Return), `"`), nil
		}
	}
}

// save keeps the state of memory and disk, then ends the machine, so that its disk is whole.
func (m *Machine) save(ctx context.Context) error {
	said, err := m.order(ctx, "human-monitor-command", map[string]string{"command-line": "savevm " + snapshot})
	if err != nil {
		return err
	}
	if said != "" {
		return fmt.Errorf("cannot keep the state of the virtual machine: %s", said)
	}
	if _, err := m.order(ctx, "quit", nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	for !m.ended() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot end the virtual machine: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// ended tells whether QEMU ended by itself.
func (m *Machine) ended() bool {
	_, err := os.Stat(filepath.Join(m.dir, "ended"))
	return err == nil
}

// said is what QEMU and the machine's console have said last.
func (m *Machine) said() string {
	var all []string
	for _, name := range []string{"qemu.log", "console.log"} {
		if data, err := os.ReadFile(filepath.Join(m.dir, name)); err == nil {
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			all = append(all, lines[max(0, len(lines)-5):]...)
		}
	}
	return strings.Join(all, " | ")
}

// Missing returns the Debian packages that bring what a virtual machine needs and this machine lacks.
func Missing() []string {
	debs := host.Missing(true)
	for program, deb := range map[string]string{"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "mke2fs": "e2fsprogs"} {
		if _, err := host.Find(program); err != nil {
			debs = append(debs, deb)
		}
	}
	return debs
}
