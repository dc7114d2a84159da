package docker

import "docker-harden/plan/inventory"

// auditRow is one row of the table below: a part of the engine whose files the kernel's audit should watch.
// Each row makes one control, see audited.
type auditRow struct {
	id   string // docker/audit-ID
	name string // as titles call it
	part inventory.AuditPart
	none string // why there is nothing to watch, where there is nothing
	why  string // what somebody could do unseen, after "Repudiation: "
	// v12 and v16 are its numbers in the benchmark: section 1 has the same ones in 1.6.0 and 1.8.0. v12 is empty
	// where 1.2.0 has no such recommendation.
	v12, v16 string
	// noisy rows are watched only when asked for.
	noisy bool
}

// auditRows are all rows, in benchmark order.
func auditRows() []auditRow {
	return []auditRow{
		{
			id: "dockerd", name: "The engine's program", part: inventory.AuditDockerd, none: "the engine's program was not found",
			why: "whoever puts another program in the place of dockerd is root from the next start on, and without a record nobody can say who it was and when.",
			v12: "1.2.3", v16: "1.1.3",
		},
		{
			id: "run-containerd", name: "containerd's run directory", part: inventory.AuditRunContainerd, none: "there is no /run/containerd",
			why: "containerd keeps its sockets and the state of running containers there; whoever puts a socket of his own in their place can deny it later.",
			v16: "1.1.4",
		},
		{
			id: "data-root", name: "The engine's data directory", part: inventory.AuditDataRoot, none: "the engine's data directory was not found", noisy: true,
			why: "images, volumes and the settings of containers lie in it; whoever changes them past the engine leaves no trace in the engine's log.",
			v12: "1.2.4", v16: "1.1.5",
		},
		{
			id: "etc-docker", name: "/etc/docker", part: inventory.AuditConfigDir, none: "there is no /etc/docker",
			why: "certificates, keys and settings of the engine lie there; whoever exchanges one can deny it later.",
			v12: "1.2.5", v16: "1.1.6",
		},
		{
			id: "service-unit", name: "The unit file of the engine", part: inventory.AuditServiceUnit, none: "there is no unit file of the engine",
			why: "docker.service says what systemd runs as root; whoever writes it can deny it later.",
			v12: "1.2.6", v16: "1.1.7",
		},
		{
			id: "containerd-sock", name: "containerd's socket", part: inventory.AuditContainerdSocket, none: "there is no socket of containerd",
			why: "who opens this socket to others, or puts another in its place, hands out the host; without a record nobody can say who it was.",
			v16: "1.1.8",
		},
		{
			id: "socket-unit", name: "The engine's socket and its unit file", part: inventory.AuditSocketUnit, none: "there is no docker.socket",
			why: "docker.socket says who may talk to the engine; whoever widens it, or the mode of the socket itself, can deny it later.",
			v12: "1.2.7", v16: "1.1.9",
		},
		{
			id: "etc-default", name: "/etc/default/docker", part: inventory.AuditDefaults, none: "there is no /etc/default/docker",
			why: "flags of the engine's next start are read from this file; whoever writes it can deny it later.",
			v12: "1.2.8", v16: "1.1.10",
		},
		{
			id: "daemon-json", name: "daemon.json", part: inventory.AuditDaemonJSON, none: "there is no directory for daemon.json",
			why: "daemon.json decides how the engine runs; whoever weakens it, and this tool too, should be on record.",
			v12: "1.2.10", v16: "1.1.11",
		},
		{
			id: "containerd-config", name: "/etc/containerd/config.toml", part: inventory.AuditContainerdConfig, none: "there is no /etc/containerd/config.toml",
			why: "containerd's settings name the programs that it runs as root; whoever writes them can deny it later.",
			v16: "1.1.12",
		},
		{
			id: "sysconfig", name: "/etc/sysconfig/docker", part: inventory.AuditSysconfig, none: "there is no /etc/sysconfig/docker",
			why: "on Red Hat's systems and their like, flags of the engine's next start are read from this file; whoever writes it can deny it later.",
			v12: "1.2.9", v16: "1.1.13",
		},
		{
			id: "containerd", name: "containerd's program", part: inventory.AuditContainerd, none: "there is no containerd in the usual directories",
			why: "containerd runs as root; whoever exchanges it has the host from the next start on, and can deny it later.",
			v12: "1.2.11", v16: "1.1.14",
		},
		{
			id: "shim", name: "containerd-shim", part: inventory.AuditShim, none: "there is no containerd-shim in the usual directories",
			why: "a shim runs as root beside every container; whoever exchanges it has the host with the next container, and can deny it later.",
			v16: "1.1.15",
		},
		{
			id: "shim-runc-v1", name: "containerd-shim-runc-v1", part: inventory.AuditShimRuncV1, none: "there is no containerd-shim-runc-v1 in the usual directories",
			why: "a shim runs as root beside every container; whoever exchanges it has the host with the next container, and can deny it later.",
			v16: "1.1.16",
		},
		{
			id: "shim-runc-v2", name: "containerd-shim-runc-v2", part: inventory.AuditShimRuncV2, none: "there is no containerd-shim-runc-v2 in the usual directories",
			why: "a shim runs as root beside every container; whoever exchanges it has the host with the next container, and can deny it later.",
			v16: "1.1.17",
		},
		{
			id: "runc", name: "runc", part: inventory.AuditRunc, none: "there is no runc in the usual directories",
			why: "runc makes every container, as root; whoever exchanges it has the host with the next one, and can deny it later.",
			v12: "1.2.12", v16: "1.1.18",
		},
	}
}
