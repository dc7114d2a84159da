package trace

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// layout says where this kernel keeps what the programs read, in bytes from the start of a structure.
type layout struct {
	nsproxy, mntNS, inum            int16 // task_struct, nsproxy, mnt_namespace
	cgroups, subsys, cgroup, node   int16 // task_struct, css_set (of the pids controller), cgroup_subsys_state, cgroup
	id, name, parent                int16 // kernfs_node
	cred, realCred                  int16 // task_struct
	uid, euid, permitted, effective int16 // cred
	comm                            int16 // task_struct
	filename, secureexec            int16 // linux_binprm
	secureBit                       uint8 // of the byte at secureexec
	number, second                  int16 // pt_regs: the system call, its second argument
	first, third, fourth, fifth     int16 // pt_regs: arguments of a function of the kernel
	hasTracepoint                   bool
}

// readLayout finds all fields in the kernel's type information.
func readLayout(spec *btf.Spec) (*layout, error) {
	l := &layout{}
	f := finder{spec: spec}
	l.nsproxy = f.at("task_struct", "nsproxy")
	l.mntNS = f.at("nsproxy", "mnt_ns")
	l.inum = f.at("mnt_namespace", "ns") + f.at("ns_common", "inum")
	l.cgroups = f.at("task_struct", "cgroups")
	l.subsys = f.at("css_set", "subsys") + 8*f.value("cgroup_subsys_id", "pids_cgrp_id")
	l.cgroup = f.at("cgroup_subsys_state", "cgroup")
	l.node = f.at("cgroup", "kn")
	l.id, l.name = f.at("kernfs_node", "id"), f.at("kernfs_node", "name")
	l.parent = f.at("kernfs_node", "__parent", "parent") // the first name since 6.15
	l.cred, l.realCred = f.at("task_struct", "cred"), f.at("task_struct", "real_cred")
	l.uid, l.euid = f.at("cred", "uid"), f.at("cred", "euid")
	l.permitted, l.effective = f.at("cred", "cap_permitted"), f.at("cred", "cap_effective")
	l.comm = f.at("task_struct", "comm")
	l.filename = f.at("linux_binprm", "filename")
	l.secureexec, l.secureBit = f.bit("linux_binprm", "secureexec")
	l.number, l.second = f.at("pt_regs", registers.number), f.at("pt_regs", registers.second)
	l.first, l.third, l.fourth = f.at("pt_regs", registers.first), f.at("pt_regs", registers.third), f.at("pt_regs", registers.fourth)
	l.fifth = f.at("pt_regs", registers.fifth)
	l.hasTracepoint = f.has("btf_trace_cap_capable")
	if f.err != nil {
		return nil, fmt.Errorf("cannot find in the kernel's type information what is to be read: %w", f.err)
	}
	return l, nil
}

// finder looks fields up and keeps every name that is not there.
type finder struct {
	spec *btf.Spec
	err  error
}

// at is where a field lies; of several names of one field the first that is there counts.
func (f *finder) at(structure string, names ...string) int16 {
	m := f.member(structure, names...)
	return int16(m.Offset.Bytes())
}

// bit is the byte that a field of one bit lies in, and which of its bits it is.
func (f *finder) bit(structure, name string) (offset int16, bit uint8) {
	m := f.member(structure, name)
	return int16(m.Offset / 8), uint8(m.Offset % 8)
}

func (f *finder) member(structure string, names ...string) btf.Member {
	var s *btf.Struct
	if err := f.spec.TypeByName(structure, &s); err != nil {
		f.err = errors.Join(f.err, fmt.Errorf("struct %s: %w", structure, err))
		return btf.Member{}
	}
	for _, name := range names {
		if m, ok := within(s.Members, name); ok {
			return m
		}
	}
	f.err = errors.Join(f.err, fmt.Errorf("struct %s has no %s", structure, names[0]))
	return btf.Member{}
}

// within finds a member, also one of a structure or union without a name.
func within(members []btf.Member, name string) (btf.Member, bool) {
	for _, m := range members {
		if m.Name == name {
			return m, true
		}
		if m.Name != "" {
			continue
		}
		var inner []btf.Member
		switch t := btf.UnderlyingType(m.Type).(type) {
		case *btf.Struct:
			inner = t.Members
		case *btf.Union:
			inner = t.Members
		}
		if found, ok := within(inner, name); ok {
			found.Offset += m.Offset
			return found, true
		}
	}
	return btf.Member{}, false
}

func (f *finder) value(enum, name string) int16 {
	var e *btf.Enum
	if err := f.spec.TypeByName(enum, &e); err != nil {
		f.err = errors.Join(f.err, fmt.Errorf("enum %s: %w", enum, err))
		return 0
	}
	for _, v := range e.Values {
		if v.Name == name {
			return int16(v.Value)
		}
	}
	f.err = errors.Join(f.err, fmt.Errorf("enum %s has no %s: the kernel has no pids controller", enum, name))
	return 0
}

func (f *finder) has(name string) bool {
	_, err := f.spec.AnyTypesByName(name)
	return err == nil
}
