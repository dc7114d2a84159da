package canary

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// programName is the only file of the image.
const programName = "canary"

// machine is how a program that sleeps for ever is written for one kind of processor.
type machine struct {
	id   elf.Machine
	code []byte
}

// machines holds what engines run on most. Elsewhere the canary says that it cannot be tried.
func machines() map[string]machine {
	return map[string]machine{
		"amd64": {elf.EM_X86_64, []byte{
			0xb8, 0x22, 0, 0, 0, // mov eax, pause
			0x0f, 0x05, // syscall
			0xeb, 0xf7, // jump to the first
		}},
		"arm64": {elf.EM_AARCH64, words(
			0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, // x0 to x4 = 0
			0xd2800928, // x8 = ppoll
			0xd4000001, // svc
			0x17fffff9, // jump to the first
		)},
	}
}

// words are instructions of four bytes.
func words(code ...uint32) []byte {
	var out []byte
	for _, word := range code {
		out = binary.LittleEndian.AppendUint32(out, word)
	}
	return out
}

// program is a static ELF program of one loaded segment.
func program(m machine) ([]byte, error) {
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(m.code))
	head := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(m.id), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x10000,
	}
	var out bytes.Buffer
	for _, part := range []any{head, segment, m.code} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			return nil, fmt.Errorf("internal error: cannot write the canary's program: %w", err)
		}
	}
	return out.Bytes(), nil
}

// archive is the image's file system.
func archive(program []byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	const mode = 0o755
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: programName, Mode: mode, Size: int64(len(program))})
	if err == nil {
		_, err = w.Write(program)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("internal error: cannot pack the canary's program: %w", err)
	}
	return out.Bytes(), nil
}
