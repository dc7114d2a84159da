package trace

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Recorder counts until it is closed. Its methods may be called from one goroutine at a time.
type Recorder struct {
	hook   string
	maps   map[string]*ebpf.Map
	closes []func() error
}

// UnsupportedError says of every way to see a capability check why this kernel does not have it.
type UnsupportedError struct{ Reasons []error }

func (e *UnsupportedError) Error() string {
	words := make([]string, len(e.Reasons))
	for i, reason := range e.Reasons {
		words[i] = firstLine(reason)
	}
	return "this kernel lets nobody see capability checks: " + strings.Join(words, "; ")
}

// Unwrap are the reasons.
func (e *UnsupportedError) Unwrap() []error { return e.Reasons }

// The verifier's words fill pages.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Start loads the programs and attaches them. It needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN) in the first user
// namespace, and a kernel from 5.15 on with type information (/sys/kernel/btf/vmlinux); else *UnsupportedError.
func Start() (*Recorder, error) { return start("") }

// start takes one hook only, by its name, where one is given.
func start(only string) (_ *Recorder, err error) {
	if os.Geteuid() != 0 {
		return nil, &UnsupportedError{Reasons: []error{errors.New("it needs root")}}
	}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, &UnsupportedError{Reasons: []error{fmt.Errorf("no type information of the kernel: %w", err)}}
	}
	l, err := readLayout(spec)
	if err != nil {
		return nil, &UnsupportedError{Reasons: []error{err}}
	}
	host, err := mountNamespace()
	if err != nil {
		return nil, err
	}
	// Kernels before 5.11 count maps as locked memory; where it cannot be raised, making a map says so.
	_ = rlimit.RemoveMemlock()
	r := &Recorder{maps: make(map[string]*ebpf.Map)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.makeMaps(); err != nil {
		return nil, &UnsupportedError{Reasons: []error{err}}
	}
	if err := r.attachChecks(l, host, only); err != nil {
		return nil, err
	}
	return r, r.attachExecs(l, host)
}

// mountNamespace is the number of this process's own.
func mountNamespace() (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/mnt", &st); err != nil {
		return 0, fmt.Errorf("cannot tell the host's mount namespace: %w", err)
	}
	return uint32(st.Ino), nil
}

const (
	checksMap = "checks"
	execsMap  = "execs"
	namesMap  = "names"
	lostMap   = "lost"
	slotsMap  = "slots"
)

func (r *Recorder) makeMaps() error {
	for _, spec := range []ebpf.MapSpec{
		{Name: checksMap, Type: ebpf.Hash, KeySize: checkKey, ValueSize: valueSize, MaxEntries: entriesMax},
		{Name: execsMap, Type: ebpf.Hash, KeySize: execKey, ValueSize: valueSize, MaxEntries: entriesMax / 4},
		{Name: namesMap, Type: ebpf.Hash, KeySize: 8, ValueSize: namesSize, MaxEntries: entriesMax / 4},
		{Name: lostMap, Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1},
		{Name: slotsMap, Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: ways * slotSize, MaxEntries: 1 << setsBits},
	} {
		m, err := ebpf.NewMap(&spec)
		if err != nil {
			return fmt.Errorf("cannot make a map for counting: %w", err)
		}
		r.maps[spec.Name] = m
		r.closes = append(r.closes, m.Close)
	}
	return nil
}

// emitter is one that counts into a map.
func (r *Recorder) emitter(l *layout, host uint32, direct bool, counts string) *emitter {
	return &emitter{layout: l, host: host, direct: direct, counts: r.maps[counts].FD(), names: r.maps[namesMap].FD(), lost: r.maps[lostMap].FD()}
}

func (r *Recorder) attachChecks(l *layout, host uint32, only string) error {
	var reasons []error
	for _, h := range hooks(l) {
		if only != "" && h.name != only {
			continue
		}
		if h.name == "tp_btf/"+checked && !l.hasTracepoint {
			reasons = append(reasons, fmt.Errorf("%s: the kernel has no such tracepoint", h.name))
			continue
		}
		e := r.emitter(l, host, h.direct, checksMap)
		if h.direct { // a probe's cost is elsewhere
			e.slots = r.maps[slotsMap].FD()
		}
		if err := r.attach(h.spec(e.checks(h.places)), h.attach); err != nil {
			reasons = append(reasons, fmt.Errorf("%s: %w", h.name, err))
			continue
		}
		if d := h.demand; d != nil {
			ins := r.emitter(l, host, h.direct, checksMap).capset(d)
			if err := r.attach(d.spec(ins), d.attach); err != nil {
				return &UnsupportedError{Reasons: append(reasons, fmt.Errorf("%s, for what capset is asked: %w", h.name, err))}
			}
		}
		r.hook = h.name
		return nil
	}
	return &UnsupportedError{Reasons: reasons}
}

func (r *Recorder) attachExecs(l *layout, host uint32) error {
	ins := r.emitter(l, host, true, execsMap).execs()
	spec := &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: raw, AttachTo: "sched_process_exec", Instructions: ins, License: license}
	if err := r.attach(spec, func(p *ebpf.Program) (link.Link, error) { return link.AttachTracing(link.TracingOptions{Program: p}) }); err != nil {
		return &UnsupportedError{Reasons: []error{fmt.Errorf("tp_btf/sched_process_exec: %w", err)}}
	}
	return nil
}

// attach loads one program and hooks it in; both go when this process ends.
func (r *Recorder) attach(spec *ebpf.ProgramSpec, attach func(*ebpf.Program) (link.Link, error)) error {
	program, err := ebpf.NewProgram(spec)
	if err != nil {
		return fmt.Errorf("cannot load the program: %w", err)
	}
	hooked, err := attach(program)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot attach the program: %w", err), program.Close())
	}
	r.closes = append(r.closes, program.Close, hooked.Close)
	return nil
}

// Hook says where checks are counted: "tp_btf/cap_capable", "fexit/cap_capable" or "kprobe/cap_capable".
func (r *Recorder) Hook() string { return r.hook }

// Close ends the counting and gives everything back to the kernel.
func (r *Recorder) Close() error {
	var err error
	for i := len(r.closes) - 1; i >= 0; i-- {
		err = errors.Join(err, r.closes[i]())
	}
	r.closes = nil
	return err
}
