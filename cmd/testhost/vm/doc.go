// Package vm runs a virtual machine with Debian's own kernel for tests of what
// namespaces cannot show: control groups of version 2 with memory limits, AppArmor,
// every capability, a real reboot and a power cut.
//
// The machine is emulated (QEMU without KVM), so it needs nothing of the hardware
// and is slow: a restart of the engine takes twenty seconds. It is built once
// (Build: about two minutes on an idle machine) and kept with a snapshot of its
// memory, from which each machine starts within seconds. Its network is the
// loopback port that its ssh answers on, and nothing else.
//
// Whatever happens to the owner of a machine, a keeper process ends it and removes
// its files.
//
// The package needs root, and qemu-system-x86, qemu-utils, e2fsprogs and what
// package host needs for building a Debian root.
package vm
