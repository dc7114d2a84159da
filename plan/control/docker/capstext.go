package docker

// capAllows says what a capability beyond the engine's default lets a container do, for the person
// who has to decide whether it keeps it.
var capAllows = map[string]string{
	"DAC_READ_SEARCH":    "read every file, and open host files by handle",
	"LINUX_IMMUTABLE":    "set the immutable and append-only marks of files",
	"NET_BROADCAST":      "send broadcasts and listen to multicasts",
	"NET_ADMIN":          "change addresses, routes and firewall rules of its network",
	"IPC_LOCK":           "lock memory",
	"IPC_OWNER":          "use every System V queue and shared memory",
	"SYS_MODULE":         "load code into the host's kernel",
	"SYS_RAWIO":          "read and write I/O ports and physical memory",
	"SYS_PTRACE":         "read and change the memory of other processes",
	"SYS_PACCT":          "switch process accounting",
	"SYS_ADMIN":          "mount, and much else: close to root on the host",
	"SYS_BOOT":           "reboot the host",
	"SYS_NICE":           "raise priorities and bind to processors",
	"SYS_RESOURCE":       "exceed resource limits and quotas",
	"SYS_TIME":           "set the host's clock",
	"SYS_TTY_CONFIG":     "hang up and configure terminals",
	"LEASE":              "take leases on files",
	"AUDIT_CONTROL":      "change the host's audit rules",
	"MAC_OVERRIDE":       "ignore mandatory access control",
	"MAC_ADMIN":          "change mandatory access control",
	"SYSLOG":             "read the kernel's log and addresses",
	"WAKE_ALARM":         "wake the host from sleep",
	"BLOCK_SUSPEND":      "keep the host from sleeping",
	"AUDIT_READ":         "read the host's audit log",
	"PERFMON":            "watch the whole host's performance counters",
	"BPF":                "load programs into the host's kernel (with checks)",
	"CHECKPOINT_RESTORE": "set process ids and read other processes' files for checkpoints",
	allCaps:              "everything root on the host may do",
}

// capUsers are programs known to fail without a capability that level 1 drops, by process name.
var capUsers = map[string][]string{
	"ping": {"NET_RAW"}, "fping": {"NET_RAW"}, "arping": {"NET_RAW"}, "traceroute": {"NET_RAW"},
	"tcpdump": {"NET_RAW"}, "dhclient": {"NET_RAW"}, "dhcpd": {"NET_RAW"}, "dnsmasq": {"NET_RAW"},
	"keepalived": {"NET_RAW"}, "smokeping": {"NET_RAW"}, "nmap": {"NET_RAW"},
	"sshd": {"AUDIT_WRITE"}, "login": {"AUDIT_WRITE"}, "su": {"AUDIT_WRITE"}, "sudo": {"AUDIT_WRITE"},
	"cron": {"AUDIT_WRITE"}, "crond": {"AUDIT_WRITE"}, "systemd": {"AUDIT_WRITE"},
	"dockerd": {"MKNOD", "SETFCAP"}, "buildkitd": {"MKNOD", "SETFCAP"}, "buildah": {"MKNOD", "SETFCAP"},
	"kaniko": {"MKNOD", "SETFCAP"}, "dpkg": {"MKNOD", "SETFCAP"}, "debootstrap": {"MKNOD"}, "mknod": {"MKNOD"},
}
