package vm

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// How long things take in a machine that is emulated, on one that is busy.
const (
	bootTime  = 15 * time.Minute
	shakeTime = 60 * time.Second
	endTime   = 5 * time.Minute
)

// keys let this process into a machine and prove which machine it is.
type keys struct {
	own   ssh.Signer
	guest ssh.PublicKey
}

// newKeys makes a key for this side: the private one for the cache, the public one for the disk.
func newKeys() (private, authorized []byte, err error) {
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(secret, "")
	if err != nil {
		return nil, nil, err
	}
	known, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(known), nil
}

// readKeys reads what Build left beside the disk.
func readKeys(dir string) (keys, error) {
	private, err := os.ReadFile(filepath.Join(dir, "id"))
	if err != nil {
		return keys{}, err
	}
	public, err := os.ReadFile(filepath.Join(dir, "guest.pub"))
	if err != nil {
		return keys{}, err
	}
	own, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return keys{}, fmt.Errorf("cannot read the key of the virtual machine: %w", err)
	}
	guest, _, _, _, err := ssh.ParseAuthorizedKey(public)
	if err != nil {
		return keys{}, fmt.Errorf("cannot read the key of the virtual machine: %w", err)
	}
	return keys{own: own, guest: guest}, nil
}

// A link is a connection to the machine's ssh; it is kept, because making one costs a second there.
type link struct{ client *ssh.Client }

// dial connects once.
func (m *Machine) dial(ctx context.Context) error {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port))
	conn, err := (&net.Dialer{Timeout: shakeTime}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(shakeTime)); err != nil {
		conn.Close()
		return err
	}
	c, channels, requests, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(m.keys.own)}, HostKeyCallback: ssh.FixedHostKey(m.keys.guest),
		HostKeyAlgorithms: []string{m.keys.guest.Type()},
	})
	if err != nil {
		conn.Close()
		return err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		c.Close()
		return err
	}
	m.link = &link{client: ssh.NewClient(c, channels, requests)}
	return nil
}

// reach connects, waiting while the machine boots.
func (m *Machine) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for m.link == nil {
		err := m.dial(ctx)
		if err == nil {
			break
		}
		if m.ended() || ctx.Err() != nil {
			return fmt.Errorf("cannot reach the virtual machine: %w: %s", err, m.said())
		}
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
	}
	return nil
}

func (m *Machine) hangUp() {
	if m.link != nil {
		_ = m.link.client.Close()
		m.link = nil
	}
}

// Run runs a shell script in the machine, with in as its standard input, and returns what it printed on both
// streams, and its exit status.
func (m *Machine) Run(ctx context.Context, in io.Reader, script string) (string, int, error) {
	if err := m.reach(ctx); err != nil {
		return "", 0, err
	}
	session, err := m.link.client.NewSession()
	if err != nil {
		return "", 0, fmt.Errorf("cannot run a program in the virtual machine: %w", err)
	}
	defer session.Close()
	client := m.link.client
	stop := context.AfterFunc(ctx, func() { client.Close() }) // a session alone would wait for the other side
	defer stop()
	out := &both{}
	session.Stdin, session.Stdout, session.Stderr = in, out, out
	err = session.Run(script)
	text := strings.TrimSpace(out.text.String())
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		m.hangUp()
		return text, 0, fmt.Errorf("cannot run a program in the virtual machine: %w", ctx.Err())
	case errors.As(err, &exit) && exit.Signal() == "":
		return text, exit.ExitStatus(), nil
	case err != nil:
		return text, 0, fmt.Errorf("cannot run a program in the virtual machine: %w: %s", err, text)
	}
	return text, 0, nil
}

// both takes the two streams of a program, which a session copies at the same time.
type both struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *both) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

// must runs a script that has to succeed.
func (m *Machine) must(ctx context.Context, in io.Reader, script string) error {
	out, code, err := m.Run(ctx, in, script)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("cannot run %q in the virtual machine: exit status %d: %s", script, code, out)
	}
	return nil
}

// settled waits until the system has started and the engine answers.
func (m *Machine) settled(ctx context.Context) error {
	if err := m.reach(ctx); err != nil {
		return err
	}
	return m.must(ctx, nil, `systemctl is-system-running --wait >/dev/null; systemctl start docker.service && docker version >/dev/null`)
}

// Cut cuts the power and gives it back: what was not on the disk is lost. It returns when the engine answers
// again.
func (m *Machine) Cut(ctx context.Context) error {
	m.hangUp()
	if _, err := m.order(ctx, "system_reset", nil); err != nil {
		return err
	}
	return m.settled(ctx)
}

// Reboot shuts the system down and starts it again, and returns when the engine answers.
func (m *Machine) Reboot(ctx context.Context) error {
	boot, _, err := m.Run(ctx, nil, "cat /proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	// The connection may end before the answer comes.
	if out, code, err := m.Run(ctx, nil, "systemctl --no-block reboot"); err == nil && code != 0 {
		return fmt.Errorf("cannot reboot the virtual machine: exit status %d: %s", code, out)
	}
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	for {
		m.hangUp()
		if err := m.reach(ctx); err != nil {
			return err
		}
		// Its old system may still answer while it shuts down, or fall silent in the middle.
		try, stop := context.WithTimeout(ctx, shakeTime)
		now, code, err := m.Run(try, nil, "cat /proc/sys/kernel/random/boot_id")
		stop()
		if err == nil && code == 0 && now != boot {
			return m.settled(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reboot the virtual machine: %w: %s", ctx.Err(), m.said())
		case <-time.After(time.Second):
		}
	}
}
