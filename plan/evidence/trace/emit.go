package trace

import (
	"github.com/cilium/ebpf/asm"
)

// Where a program keeps what it works on, in bytes below the top of its stack. The key is the uppermost; what
// follows is told by its size.
const (
	nameSize  = 80 // a container's name as systemd spells it has 77 letters
	namesSize = 3 * nameSize
	valueSize = 32
)

// emitter puts a program together. What must live across calls is in R6 to R9: ctx, task and two more.
type emitter struct {
	ins    asm.Instructions
	layout *layout
	host   uint32 // the mount namespace of this process, which no container is in
	direct bool   // kernel memory is read by plain loads, which only programs with type information may
	key    int16  // size
	label  string // of the next instruction
	counts int    // file descriptors of the maps
	names  int
	lost   int
	slots  int // 0 for a program without
}

func (e *emitter) add(ins ...asm.Instruction) {
	for _, i := range ins {
		if e.label != "" {
			i, e.label = i.WithSymbol(e.label), ""
		}
		e.ins = append(e.ins, i)
	}
}

func (e *emitter) here(label string) {
	if e.label != "" {
		e.add(asm.Mov.Reg(asm.R0, asm.R0)) // one instruction has one label
	}
	e.label = label
}

func (e *emitter) value() int16   { return -e.key - valueSize }
func (e *emitter) mask() int16    { return e.value() - 8 }
func (e *emitter) scratch() int16 { return e.mask() - 8 }
func (e *emitter) list() int16    { return e.scratch() - namesSize }

// read loads from kernel memory, 0 where nothing is. It may use R1 to R5.
func (e *emitter) read(dst, src asm.Register, offset int16, size asm.Size) {
	if e.direct {
		e.add(asm.LoadMem(dst, src, offset, size))
		return
	}
	e.add(
		asm.Mov.Reg(asm.R3, src), asm.Add.Imm(asm.R3, int32(offset)),
		asm.Mov.Imm(asm.R2, int32(size.Sizeof())),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(e.scratch())),
		asm.FnProbeReadKernel.Call(),
		asm.LoadMem(dst, asm.RFP, e.scratch(), size),
	)
}

// follow reads pointer after pointer into dst and leaves the program where one leads nowhere.
func (e *emitter) follow(dst, src asm.Register, offsets ...int16) {
	for _, offset := range offsets {
		e.read(dst, src, offset, asm.DWord)
		e.add(asm.JEq.Imm(dst, 0, "exit"))
		src = dst
	}
}

// zero clears a stretch of the stack.
func (e *emitter) zero(from, size int16) {
	e.add(asm.Mov.Imm(asm.R0, 0))
	for at := from; at < from+size; at += 8 {
		e.add(asm.StoreMem(asm.RFP, at, asm.R0, asm.DWord))
	}
}

// address puts the address of a place on the stack into a register.
func (e *emitter) address(dst asm.Register, at int16) {
	e.add(asm.Mov.Reg(dst, asm.RFP), asm.Add.Imm(dst, int32(at)))
}

// begin leaves at once for processes outside containers, and writes the id of the control group into the key.
// After it R6 is the context, R7 the task and R8 the control group's node.
func (e *emitter) begin() {
	l := e.layout
	e.add(asm.Mov.Reg(asm.R6, asm.R1), asm.FnGetCurrentTaskBtf.Call(), asm.Mov.Reg(asm.R7, asm.R0))
	e.follow(asm.R8, asm.R7, l.nsproxy, l.mntNS)
	e.read(asm.R8, asm.R8, l.inum, asm.Word)
	e.add(asm.LoadImm(asm.R1, int64(e.host), asm.DWord), asm.JEq.Reg(asm.R8, asm.R1, "exit"))
	e.zero(-e.key, e.key)
	e.zero(e.mask(), 8)
	e.follow(asm.R8, asm.R7, l.cgroups, l.subsys, l.cgroup, l.node)
	e.read(asm.R9, asm.R8, l.id, asm.DWord)
	e.add(asm.StoreMem(asm.RFP, -e.key, asm.R9, asm.DWord))
}

// remember writes the names of the control group and of the two above it down, once: a container may be gone when
// they are wanted. R8 is the node, and is lost.
func (e *emitter) remember() {
	e.lookup(e.names, -e.key)
	e.add(asm.JNE.Imm(asm.R0, 0, "new"))
	e.zero(e.list(), namesSize)
	for i := range int16(3) {
		if i > 0 {
			e.read(asm.R8, asm.R8, e.layout.parent, asm.DWord)
			e.add(asm.JEq.Imm(asm.R8, 0, "named"))
		}
		e.read(asm.R9, asm.R8, e.layout.name, asm.DWord)
		e.text(e.list()+i*nameSize, nameSize, asm.R9)
	}
	e.here("named")
	e.add(asm.LoadMapPtr(asm.R1, e.names))
	e.address(asm.R2, -e.key)
	e.address(asm.R3, e.list())
	e.add(asm.Mov.Imm(asm.R4, 0), asm.FnMapUpdateElem.Call())
}

// text copies a string of the kernel.
func (e *emitter) text(to, size int16, from asm.Register) {
	e.address(asm.R1, to)
	e.add(asm.Mov.Imm(asm.R2, int32(size)), asm.Mov.Reg(asm.R3, from), asm.FnProbeReadKernelStr.Call())
}

// count adds one to what the key says, or says that it was lost because the map is full. R8 is the control group's
// node: of a key that is there already its names are known, which spares what happens most a look.
func (e *emitter) count() {
	const once = 1 // BPF_NOEXIST: another processor may have been first
	e.lookup(e.counts, -e.key)
	e.add(asm.JNE.Imm(asm.R0, 0, "add"))
	e.remember()
	e.here("new")
	e.add(asm.Mov.Imm(asm.R0, 1), asm.StoreMem(asm.RFP, e.value(), asm.R0, asm.DWord))
	e.add(
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(asm.RFP, e.value()+8, asm.R0, asm.DWord), asm.StoreMem(asm.RFP, e.value()+16, asm.R0, asm.DWord),
		asm.LoadMem(asm.R0, asm.RFP, e.mask(), asm.DWord), asm.StoreMem(asm.RFP, e.value()+24, asm.R0, asm.DWord),
	)
	e.add(asm.LoadMapPtr(asm.R1, e.counts))
	e.address(asm.R2, -e.key)
	e.address(asm.R3, e.value())
	e.add(asm.Mov.Imm(asm.R4, once), asm.FnMapUpdateElem.Call(), asm.JEq.Imm(asm.R0, 0, "exit"))
	e.lookup(e.counts, -e.key)
	e.add(asm.JNE.Imm(asm.R0, 0, "add"))
	e.zero(e.scratch(), 8)
	e.lookup(e.lost, e.scratch())
	e.add(asm.JEq.Imm(asm.R0, 0, "exit"), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0), asm.Ja.Label("exit"))
	e.here("add")
	e.add(
		asm.Mov.Reg(asm.R8, asm.R0), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R8, asm.R1, asm.DWord, 0),
		asm.FnKtimeGetNs.Call(), asm.StoreMem(asm.R8, 16, asm.R0, asm.DWord),
		asm.LoadMem(asm.R0, asm.RFP, e.mask(), asm.DWord), asm.LoadMem(asm.R1, asm.R8, 24, asm.DWord),
		asm.Or.Reg(asm.R1, asm.R0), asm.StoreMem(asm.R8, 24, asm.R1, asm.DWord),
	)
	if e.slots != 0 {
		e.claim()
	}
	e.here("exit")
	e.add(asm.Mov.Imm(asm.R0, 0), asm.Return())
}

func (e *emitter) lookup(fd int, key int16) {
	e.add(asm.LoadMapPtr(asm.R1, fd))
	e.address(asm.R2, key)
	e.add(asm.FnMapLookupElem.Call())
}
