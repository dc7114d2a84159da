package trace

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Most checks are such as the same process made a moment ago. For these every processor has slots, where they are
// counted without a look into the map of all checks and, within a tick of the kernel's (at most 10 ms), without a
// look at the clock.
//
// A slot is given to the first key that wants it, and never taken back: a check is counted in a slot or in the map,
// for good, so that both together are right whenever they are read. A key gets a slot only when it is in the map,
// which knows when it was first seen. A key that finds all slots of its set taken is counted in the map.
//
// Slots are written without locks: the kernel moves a program that runs to no other processor, and lets it run on
// one only once at a time (a count of its own for each processor; what would begin meanwhile is left out).
const (
	setsBits  = 7 // sets are found by so many bits of the key's hash
	ways      = 4 // slots in a set
	slotCount = 0
	slotTick  = 8 // of the last look at the clock
	slotLast  = 16
	slotKey   = 24
	slotSize  = slotKey + checkKey
)

// slot counts a check in its slot and leaves the program, or goes on at "count" with the set, or 0, in R6.
func (e *emitter) slot() {
	const golden = -0x61c8864680b583eb // 2^64 divided by the golden ratio: what differs in any bit is spread
	e.add(asm.Mov.Imm(asm.R0, 0), asm.LoadImm(asm.R2, golden, asm.DWord))
	for i, shift := range []int32{0, 8, 16, 0, 0} { // small numbers must not fall on one another, letters not out
		e.add(asm.LoadMem(asm.R1, asm.RFP, int16(8*i)-e.key, asm.DWord), asm.LSh.Imm(asm.R1, shift), asm.Xor.Reg(asm.R0, asm.R1))
		if i == 2 {
			e.add(asm.Mul.Reg(asm.R0, asm.R2))
		}
	}
	e.add(asm.Mul.Reg(asm.R0, asm.R2), asm.RSh.Imm(asm.R0, 64-setsBits), asm.StoreMem(asm.RFP, e.scratch(), asm.R0, asm.Word))
	e.lookup(e.slots, e.scratch())
	e.add(asm.Mov.Reg(asm.R6, asm.R0), asm.JEq.Imm(asm.R6, 0, "count"))
	for way := range int16(ways) {
		next := fmt.Sprint("not slot ", way)
		for at := int16(0); at < e.key; at += 8 {
			e.add(
				asm.LoadMem(asm.R1, asm.R6, way*slotSize+slotKey+at, asm.DWord),
				asm.LoadMem(asm.R2, asm.RFP, at-e.key, asm.DWord), asm.JNE.Reg(asm.R1, asm.R2, next),
			)
		}
		e.add(asm.Add.Imm(asm.R6, int32(way*slotSize)), asm.Ja.Label("hit"))
		e.here(next)
	}
	e.add(asm.Ja.Label("count"))
	e.here("hit")
	e.add(
		asm.LoadMem(asm.R1, asm.R6, slotCount, asm.DWord), asm.Add.Imm(asm.R1, 1), asm.StoreMem(asm.R6, slotCount, asm.R1, asm.DWord),
		asm.FnJiffies64.Call(), asm.LoadMem(asm.R1, asm.R6, slotTick, asm.DWord), asm.JEq.Reg(asm.R0, asm.R1, "exit"),
		asm.StoreMem(asm.R6, slotTick, asm.R0, asm.DWord),
		asm.FnKtimeGetNs.Call(), asm.StoreMem(asm.R6, slotLast, asm.R0, asm.DWord), asm.Ja.Label("exit"),
	)
}

// claim gives the key a slot of the set in R6 that nobody has, if there is one: no key begins with 0.
func (e *emitter) claim() {
	e.add(asm.JEq.Imm(asm.R6, 0, "exit"))
	for way := range int16(ways) {
		next := fmt.Sprint("taken ", way)
		e.add(asm.LoadMem(asm.R0, asm.R6, way*slotSize+slotKey, asm.DWord), asm.JNE.Imm(asm.R0, 0, next))
		e.add(asm.Add.Imm(asm.R6, int32(way*slotSize)), asm.Ja.Label("free"))
		e.here(next)
	}
	e.add(asm.Ja.Label("exit"))
	e.here("free")
	for at := int16(0); at < e.key; at += 8 {
		e.add(asm.LoadMem(asm.R0, asm.RFP, at-e.key, asm.DWord), asm.StoreMem(asm.R6, slotKey+at, asm.R0, asm.DWord))
	}
}

// slotted is what the slots of all processors say of one key.
type slotted struct{ count, last uint64 }

// addTo adds it to the value that the map has for the key.
func (s slotted) addTo(value []byte) {
	binary.NativeEndian.PutUint64(value, binary.NativeEndian.Uint64(value)+s.count)
	binary.NativeEndian.PutUint64(value[16:], max(binary.NativeEndian.Uint64(value[16:]), s.last))
}

// slotted reads the slots, by key. It has to be read before the map, which then has all of these keys.
func (r *Recorder) slotted() (map[string]slotted, error) {
	counts, err := readSlots(r.maps[slotsMap])
	if err != nil {
		return nil, err
	}
	// The key of a slot that had counted by then was written before: read again, it is whole.
	keys, err := readSlots(r.maps[slotsMap])
	if err != nil {
		return nil, err
	}
	out := make(map[string]slotted)
	for i, slot := range counts {
		count := binary.NativeEndian.Uint64(slot[slotCount:])
		if count == 0 {
			continue
		}
		key := string(keys[i][slotKey:])
		s := out[key]
		out[key] = slotted{s.count + count, max(s.last, binary.NativeEndian.Uint64(slot[slotLast:]))}
	}
	return out, nil
}

// readSlots reads all slots, of every set and in it of every processor.
func readSlots(m *ebpf.Map) ([][slotSize]byte, error) {
	var out [][slotSize]byte
	var set uint32
	var processors [][ways][slotSize]byte
	sets := m.Iterate()
	for sets.Next(&set, &processors) {
		for _, slots := range processors {
			out = append(out, slots[:]...)
		}
	}
	if err := sets.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the slots of the processors: %w", err)
	}
	return out, nil
}
