package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// statusField is the value of one line of /proc/PID/status.
func statusField(status []byte, name string) string {
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// parseStatus reads what /proc/PID/status says of a process's identity and privileges.
func parseStatus(status []byte) (Process, error) {
	var p Process
	fields := map[string]string{}
	for line := range strings.Lines(string(status)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	p.Name = fields["Name"]
	var errs []error
	number := func(name string, base int) uint64 {
		n, err := strconv.ParseUint(fields[name], base, 64)
		if err != nil {
			errs = append(errs, fmt.Errorf("field %s is %q", name, fields[name]))
		}
		return n
	}
	p.PID = int(number("Pid", 10))
	p.NoNewPrivs = number("NoNewPrivs", 10) == 1
	if fields["Seccomp"] != "" { // absent where the kernel was built without it
		p.Seccomp = int(number("Seccomp", 10))
	}
	p.CapInh, p.CapPrm, p.CapEff = number("CapInh", 16), number("CapPrm", 16), number("CapEff", 16)
	p.CapBnd, p.CapAmb = number("CapBnd", 16), number("CapAmb", 16)
	if uids := strings.Fields(fields["Uid"]); len(uids) > 1 {
		uid, err := strconv.Atoi(uids[1]) // real, effective, saved, file system
		p.UID, errs = uid, append(errs, err)
	} else {
		errs = append(errs, fmt.Errorf("field Uid is %q", fields["Uid"]))
	}
	if err := errors.Join(errs...); err != nil {
		return Process{}, fmt.Errorf("cannot read process status: %w", err)
	}
	return p, nil
}
