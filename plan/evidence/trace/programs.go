package trace

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// What the kernel gives in the context of a program, at which place.
type places struct{ cred, capability, options, result int16 }

// hook is one way to see a capability check.
type hook struct {
	name   string
	direct bool
	places places
	spec   func(asm.Instructions) *ebpf.ProgramSpec
	attach func(*ebpf.Program) (link.Link, error)
	demand *demand
}

// demand is the way to see what capset asks for, where the hook does not: kernels that have it put the check into
// the function that makes it.
type demand struct {
	effective, permitted int16 // in the context: addresses
	spec                 func(asm.Instructions) *ebpf.ProgramSpec
	attach               func(*ebpf.Program) (link.Link, error)
}

const (
	none       = -1
	checked    = "cap_capable"
	asked      = "security_capset"
	setpcap    = 8
	checkKey   = 40
	execKey    = 152
	commSize   = 16
	pathSize   = 128
	license    = "Dual MIT/GPL" // the kernel's helpers are for programs under the GPL only
	raw        = ebpf.AttachTraceRawTp
	returning  = ebpf.AttachTraceFExit
	entering   = ebpf.AttachTraceFEntry
	entriesMax = 16384
)

// hooks are the ways in the order in which they are tried: the best first.
func hooks(l *layout) []hook {
	typed := func(attach ebpf.AttachType, to string) func(asm.Instructions) *ebpf.ProgramSpec {
		return func(ins asm.Instructions) *ebpf.ProgramSpec {
			return &ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: attach, AttachTo: to, Instructions: ins, License: license}
		}
	}
	attach := func(p *ebpf.Program) (link.Link, error) { return link.AttachTracing(link.TracingOptions{Program: p}) }
	probing := func(ins asm.Instructions) *ebpf.ProgramSpec {
		return &ebpf.ProgramSpec{Type: ebpf.Kprobe, Instructions: ins, License: license}
	}
	probe := func(function string) func(*ebpf.Program) (link.Link, error) {
		return func(p *ebpf.Program) (link.Link, error) { return link.Kprobe(function, p, nil) }
	}
	return []hook{
		{"tp_btf/" + checked, true, places{cred: 0, capability: 24, options: none, result: 32}, typed(raw, checked), attach, nil},
		{
			"fexit/" + checked, true,
			places{cred: 0, capability: 16, options: 24, result: 32},
			typed(returning, checked), attach,
			&demand{16, 32, typed(entering, asked), attach},
		},
		{
			"kprobe/" + checked, false,
			places{cred: l.first, capability: l.third, options: l.fourth, result: none},
			probing, probe(checked),
			&demand{l.third, l.fifth, probing, probe(asked)},
		},
	}
}

// checks is the program that counts capability checks. Its key: control group 8, system call 4, effective uid 4,
// capability 1, denied 1, options 1, borrowed 1, nothing 4, name of the process 16. It is written in whole words, as it
// is read again: a processor waits when it reads a word that was written in pieces just before.
func (e *emitter) checks(p places) asm.Instructions {
	e.key = checkKey
	e.begin()
	e.add(asm.LoadMem(asm.R0, asm.R6, p.capability, asm.DWord), asm.And.Imm(asm.R0, 0xff))
	if p.options != none {
		e.add(asm.LoadMem(asm.R1, asm.R6, p.options, asm.DWord), asm.And.Imm(asm.R1, 0xff))
		e.add(asm.LSh.Imm(asm.R1, 8*(options-capability)), asm.Or.Reg(asm.R0, asm.R1))
	}
	e.add(asm.StoreMem(asm.RFP, e.field(capability), asm.R0, asm.DWord), asm.LoadMem(asm.R9, asm.R6, p.cred, asm.DWord))
	e.rights()
	if p.result != none {
		e.add(asm.LoadMem(asm.R0, asm.R6, p.result, asm.DWord), asm.JEq.Imm32(asm.R0, 0, "granted"))
	} else { // the function has not decided yet
		e.read(asm.R0, asm.R9, e.layout.effective, asm.DWord)
		e.add(asm.LoadMem(asm.R1, asm.R6, p.capability, asm.DWord), asm.And.Imm(asm.R1, 63), asm.RSh.Reg(asm.R0, asm.R1),
			asm.And.Imm(asm.R0, 1), asm.JNE.Imm(asm.R0, 0, "granted"))
	}
	e.flag(denied)
	e.here("granted")
	e.add(asm.LoadMem(asm.R9, asm.R6, p.capability, asm.DWord))
	e.process()
	e.add(asm.JNE.Imm32(asm.R9, setpcap, "known"), asm.JNE.Imm32(asm.R0, capsetCall, "known"))
	e.wanted()
	e.add(asm.Mov.Imm(asm.R6, 0), asm.Ja.Label("count")) // no slot has what capset is asked for
	e.here("known")
	if e.slots != 0 {
		e.slot()
	}
	e.here("count")
	e.count()
	return e.ins
}

// capset is the program that counts what capset is asked for, as the check of SETPCAP that the kernel makes there.
func (e *emitter) capset(d *demand) asm.Instructions {
	e.key = checkKey
	e.begin()
	// Of an address that is no typed pointer the kernel lets no program read but with its help.
	direct := e.direct
	e.direct = false
	e.add(asm.LoadMem(asm.R8, asm.R6, d.effective, asm.DWord), asm.LoadMem(asm.R9, asm.R6, d.permitted, asm.DWord))
	e.read(asm.R8, asm.R8, 0, asm.DWord)
	e.read(asm.R9, asm.R9, 0, asm.DWord)
	e.direct = direct
	e.add(asm.Or.Reg(asm.R8, asm.R9), asm.StoreMem(asm.RFP, e.mask(), asm.R8, asm.DWord))
	e.add(asm.Mov.Imm(asm.R0, setpcap), asm.StoreMem(asm.RFP, e.field(capability), asm.R0, asm.DWord))
	e.read(asm.R9, asm.R7, e.layout.cred, asm.DWord)
	e.rights()
	e.read(asm.R0, asm.R9, e.layout.effective, asm.DWord)
	e.add(asm.And.Imm(asm.R0, 1<<setpcap), asm.JNE.Imm(asm.R0, 0, "granted"))
	e.flag(denied)
	e.here("granted")
	e.process()
	e.follow(asm.R8, asm.R7, e.layout.cgroups, e.layout.subsys, e.layout.cgroup, e.layout.node)
	e.count()
	return e.ins
}

// Where the key of a check has what.
const call, euid, capability, denied, options, borrowed, comm = 8, 12, 16, 17, 18, 19, 24

func (e *emitter) field(offset int16) int16 { return -e.key + offset }

// flag sets one of the bytes beside the capability, which is there already.
func (e *emitter) flag(at int16) {
	e.add(
		asm.LoadMem(asm.R0, asm.RFP, e.field(capability), asm.DWord), asm.Or.Imm(asm.R0, 1<<(8*(at-capability))),
		asm.StoreMem(asm.RFP, e.field(capability), asm.R0, asm.DWord),
	)
}

// rights writes down whose rights R9 are, and whether they are those of the task itself.
func (e *emitter) rights() {
	e.read(asm.R0, asm.R9, e.layout.euid, asm.Word)
	e.add(asm.StoreMem(asm.RFP, e.field(euid), asm.R0, asm.Word))
	e.read(asm.R0, asm.R7, e.layout.realCred, asm.DWord)
	e.add(asm.JEq.Reg(asm.R0, asm.R9, "own"))
	e.flag(borrowed)
	e.here("own")
}

// process writes down the name of the process and its system call. After it R6 are its registers and R0 is the call.
func (e *emitter) process() {
	e.comm()
	e.add(asm.Mov.Reg(asm.R1, asm.R7), asm.FnTaskPtRegs.Call(), asm.Mov.Reg(asm.R6, asm.R0))
	e.read(asm.R0, asm.R6, e.layout.number, asm.DWord)
	e.add(
		asm.LoadMem(asm.R1, asm.RFP, e.field(euid), asm.Word), asm.LSh.Imm(asm.R1, 32),
		asm.Mov.Reg32(asm.R2, asm.R0), asm.Or.Reg(asm.R1, asm.R2), asm.StoreMem(asm.RFP, e.field(call), asm.R1, asm.DWord),
	)
}

// comm writes down the name of the process. Kernels that have the tracepoint leave nothing of an older name behind the
// end of a new one, so that it can be read as it is.
func (e *emitter) comm() {
	if !e.direct || !e.layout.hasTracepoint {
		e.address(asm.R1, e.field(comm))
		e.add(asm.Mov.Imm(asm.R2, commSize), asm.FnGetCurrentComm.Call())
		return
	}
	for at := int16(0); at < commSize; at += 8 {
		e.read(asm.R0, asm.R7, e.layout.comm+at, asm.DWord)
		e.add(asm.StoreMem(asm.RFP, e.field(comm+at), asm.R0, asm.DWord))
	}
}

// wanted reads which capabilities a process asks capset for: the kernel only compares them with what it has. R6
// are the registers of the process.
func (e *emitter) wanted() {
	const size = 24 // two of effective, permitted, inheritable
	e.read(asm.R3, asm.R6, e.layout.second, asm.DWord)
	e.address(asm.R1, e.value())
	e.add(asm.Mov.Imm(asm.R2, size), asm.FnProbeReadUser.Call(), asm.JNE.Imm(asm.R0, 0, "known"))
	word := func(dst asm.Register, i int16) asm.Instruction {
		return asm.LoadMem(dst, asm.RFP, e.value()+4*i, asm.Word)
	}
	e.add(
		word(asm.R0, 3), word(asm.R1, 4), asm.Or.Reg(asm.R0, asm.R1), asm.LSh.Imm(asm.R0, 32),
		word(asm.R1, 0), asm.Or.Reg(asm.R0, asm.R1), word(asm.R1, 1), asm.Or.Reg(asm.R0, asm.R1),
		asm.StoreMem(asm.RFP, e.mask(), asm.R0, asm.DWord),
	)
}

// execs is the program that counts executions. Its key: control group 8, uid 4, effective uid 4, gained privileges 4,
// nothing 4, path 128. The last of its value are the capabilities that the program was started with.
func (e *emitter) execs() asm.Instructions {
	const uid, gained, file = 8, 16, 24
	const program = 16 // in the context: task, old pid, program
	e.key, e.direct = execKey, true
	e.begin()
	e.read(asm.R9, asm.R7, e.layout.cred, asm.DWord)
	e.read(asm.R0, asm.R9, e.layout.uid, asm.Word)
	e.add(asm.StoreMem(asm.RFP, e.field(uid), asm.R0, asm.Word))
	e.read(asm.R0, asm.R9, e.layout.euid, asm.Word)
	e.add(asm.StoreMem(asm.RFP, e.field(euid), asm.R0, asm.Word))
	e.read(asm.R0, asm.R9, e.layout.permitted, asm.DWord)
	e.add(asm.StoreMem(asm.RFP, e.mask(), asm.R0, asm.DWord))
	e.add(asm.LoadMem(asm.R9, asm.R6, program, asm.DWord))
	e.read(asm.R0, asm.R9, e.layout.secureexec, asm.Byte)
	e.add(asm.RSh.Imm(asm.R0, int32(e.layout.secureBit)), asm.And.Imm(asm.R0, 1), asm.StoreMem(asm.RFP, e.field(gained), asm.R0, asm.Word))
	e.read(asm.R9, asm.R9, e.layout.filename, asm.DWord)
	e.text(e.field(file), pathSize, asm.R9)
	e.count()
	return e.ins
}
