package learn

import (
	"fmt"
	"strings"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/moby/sys/capability"
)

// capabilityName is a capability as docker run spells it.
func capabilityName(number int) string {
	for _, c := range capability.ListKnown() {
		if int(c) == number {
			return strings.ToUpper(c.String())
		}
	}
	return fmt.Sprintf("CAPABILITY_%d", number)
}

// callName is the name of a system call of this machine.
func callName(number int) string {
	if info, err := arch.GetInfo(""); err == nil {
		if name, ok := info.SyscallNumbers[number]; ok {
			return name
		}
	}
	return fmt.Sprintf("syscall_%d", number)
}
