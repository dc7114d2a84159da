package inventory

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	libaudit "github.com/elastic/go-libaudit/v2"
)

// KernelAudit is the kernel's audit as it is: its state and its rules in the form of the kernel.
type KernelAudit struct {
	Enabled int
	Rules   [][]byte
}

// kernelAudit asks the kernel, or what stands in for it.
func (o Options) kernelAudit() (KernelAudit, error) {
	if o.Audit != nil {
		return o.Audit()
	}
	return ReadKernelAudit()
}

// ErrNoAudit is a kernel without audit.
var ErrNoAudit = errors.New("this kernel has no audit")

// ReadKernelAudit asks the kernel. There is one audit for the whole machine, which speaks to root in the first
// pid namespace only.
func ReadKernelAudit() (KernelAudit, error) {
	client, err := DialAudit()
	if err != nil {
		return KernelAudit{}, err
	}
	defer client.Close() //nolint:errcheck // nothing was written
	return readAudit(client)
}

// DialAudit connects to the kernel's audit.
func DialAudit() (*libaudit.AuditClient, error) {
	c, err := libaudit.NewAuditClient(nil)
	switch {
	case errors.Is(err, syscall.EPROTONOSUPPORT), errors.Is(err, syscall.EAFNOSUPPORT):
		return nil, ErrNoAudit
	case err != nil:
		return nil, fmt.Errorf("cannot reach the kernel's audit: %w", err)
	}
	c.Netlink = patientNetlink{c.Netlink}
	return c, nil
}

// auditReader is the part of the client that reads.
type auditReader interface {
	GetStatus() (*libaudit.AuditStatus, error)
	GetRules() ([][]byte, error)
}

func readAudit(client auditReader) (KernelAudit, error) {
	status, err := client.GetStatus()
	if err != nil {
		return KernelAudit{}, explainAudit(err)
	}
	rules, err := client.GetRules()
	if err != nil {
		return KernelAudit{}, explainAudit(err)
	}
	return KernelAudit{Enabled: int(status.Enabled), Rules: rules}, nil
}

// explainAudit says what to do about an audit that does not speak to this process.
func explainAudit(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("cannot read the kernel's audit: %w; it shows itself to root outside of containers only (in the first pid namespace)", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot read the kernel's audit: %w; it is not there for processes in a container", err)
	}
	return fmt.Errorf("cannot read the kernel's audit: %w", err)
}

// patientNetlink waits for the kernel's answers, which another thread of the kernel sends, in short turns: the
// library would sleep long for each, and give up on a busy machine.
type patientNetlink struct{ libaudit.NetlinkSendReceiver }

// Receive waits for a message.
func (p patientNetlink) Receive(_ bool, parse libaudit.NetlinkParser) ([]syscall.NetlinkMessage, error) {
	const patience, turn = 30 * time.Second, time.Millisecond
	for start := time.Now(); ; time.Sleep(turn) {
		messages, err := p.NetlinkSendReceiver.Receive(true, parse)
		if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) || time.Since(start) > patience {
			return messages, err
		}
	}
}
