package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// engineFile is one row of the table below: a file of the engine (or several that belong together), and
// what there is to say of its owner and of its mode. Each row makes two controls, see ownerOf and modeOf.
type engineFile struct {
	id   string // docker/ID-owner and docker/ID-mode
	name string // as titles call it
	// wants are the roles of the row, each with the modes that every version of the benchmark accepts,
	// widest first. What is narrower passes too.
	wants       []roleModes
	owner, mode rule
}

// roleModes are the modes that files of a role may have.
type roleModes struct {
	role  inventory.FileRole
	modes []uint32
}

// rule is what a control of a row says of itself. v12 and v16 are its numbers in the benchmark: section 3
// has the same ones in 1.6.0 and 1.8.0. v12 is empty where 1.2.0 has no such recommendation.
type rule struct {
	why, risk        string
	v12, v16, stride string
}

// roleDaemonJSON is daemon.json, which the inventory reads for other reasons too.
const roleDaemonJSON inventory.FileRole = "daemon-json"

// The modes that every version of the benchmark accepts.
func unitModes() []uint32        { return []uint32{0o644, 0o600} }
func directoryModes() []uint32   { return []uint32{0o755, 0o700} }
func certificateModes() []uint32 { return []uint32{0o444, 0o400} }
func keyModes() []uint32         { return []uint32{0o400} }
func socketModes() []uint32      { return []uint32{0o660, 0o600} }
func configModes() []uint32      { return []uint32{0o644, 0o640, 0o600} }

func serviceUnit() engineFile {
	return engineFile{
		id: "service-unit", name: "The unit file of the engine", wants: []roleModes{{inventory.RoleServiceUnit, unitModes()}},
		owner: rule{
			why:  "Elevation of privilege: systemd runs what docker.service and its drop-ins say, as root; who owns one of them decides what that is.",
			risk: "A deployment tool that writes the unit as another user can no longer do so.",
			v12:  "3.1", v16: "3.1", stride: "T,E",
		},
		mode: rule{
			why:  "Elevation of privilege: systemd runs what docker.service and its drop-ins say, as root, whoever wrote it there.",
			risk: "A deployment tool that writes the unit through its group or as anybody can no longer do so.",
			v12:  "3.2", v16: "3.2", stride: "T,E",
		},
	}
}

func socketUnit() engineFile {
	return engineFile{
		id: "socket-unit", name: "The unit file of the engine's socket", wants: []roleModes{{inventory.RoleSocketUnit, unitModes()}},
		owner: rule{
			why:  "Elevation of privilege: docker.socket says who may talk to the engine; its owner can hand the socket, and with it the host, to anybody.",
			risk: "A deployment tool that writes the unit as another user can no longer do so.",
			v12:  "3.3", v16: "3.3", stride: "T,E",
		},
		mode: rule{
			why:  "Elevation of privilege: docker.socket says who may talk to the engine; who may write it can hand the socket, and with it the host, to anybody.",
			risk: "A deployment tool that writes the unit through its group or as anybody can no longer do so.",
			v12:  "3.4", v16: "3.4", stride: "T,E",
		},
	}
}

func etcDocker() engineFile {
	return engineFile{
		id: "etc-docker", name: "/etc/docker", wants: []roleModes{{inventory.RoleConfigDir, directoryModes()}},
		owner: rule{
			why:  "Tampering and elevation of privilege: the owner of a directory can put another daemon.json, or another certificate, in the place of one that is not his.",
			risk: "A deployment tool that makes files in /etc/docker as another user can no longer do so, and a group that could read there may be locked out.",
			v12:  "3.5", v16: "3.5", stride: "T,E",
		},
		mode: rule{
			why:  "Tampering and elevation of privilege: who may write a directory can put another daemon.json, or another certificate, in the place of one that he may not write.",
			risk: "A deployment tool that makes files in /etc/docker through its group or as anybody can no longer do so.",
			v12:  "3.6", v16: "3.6", stride: "T,E",
		},
	}
}

func registryCerts() engineFile {
	return engineFile{
		id: "registry-certs", name: "What /etc/docker/certs.d holds",
		wants: []roleModes{
			{inventory.RoleRegistryDir, directoryModes()},
			{inventory.RoleRegistryCert, certificateModes()},
			{inventory.RoleRegistryKey, keyModes()},
		},
		owner: rule{
			why: "Tampering and spoofing: the engine trusts a registry by the certificates in /etc/docker/certs.d; whoever owns one, or the " +
				"directory of one, can make it trust a registry with images of his own.",
			risk: "A tool that renews certificates as another user can no longer do so, and whoever read a client key through its owner or group is locked out.",
			v12:  "3.7", v16: "3.7", stride: "S,T",
		},
		mode: rule{
			why: "Tampering, spoofing and information disclosure: who may write a certificate in /etc/docker/certs.d makes the engine trust a registry " +
				"with images of his own, and who may read a client key there can log in to the registry as this host. Directories want 0755, certificates 0444, keys 0400.",
			risk: "A tool that renews certificates without being root can no longer do so, and whoever but root read a client key is locked out.",
			v12:  "3.8", v16: "3.8", stride: "S,T,I",
		},
	}
}

func tlsCA() engineFile {
	return engineFile{
		id: "tls-ca", name: "The CA certificate of the engine's TLS", wants: []roleModes{{inventory.RoleTLSCA, certificateModes()}},
		owner: rule{
			why:  "Spoofing and tampering: the engine lets in every client whose certificate this CA signed; the owner of the file can put a CA of his own there, and is root on the host.",
			risk: "A tool that renews the certificate as another user can no longer do so.",
			v12:  "3.9", v16: "3.9", stride: "S,T,E",
		},
		mode: rule{
			why:  "Spoofing and tampering: the engine lets in every client whose certificate this CA signed; who may write the file can put a CA of his own there, and is root on the host.",
			risk: "A tool that renews the certificate without being root can no longer do so, and a group that alone could read it is locked out.",
			v12:  "3.10", v16: "3.10", stride: "S,T,E",
		},
	}
}

func tlsCert() engineFile {
	return engineFile{
		id: "tls-cert", name: "The server certificate of the engine's TLS", wants: []roleModes{{inventory.RoleTLSCert, certificateModes()}},
		owner: rule{
			why:  "Spoofing and denial of service: with this certificate the engine proves to its clients who it is; the owner of the file can replace or spoil it.",
			risk: "A tool that renews the certificate as another user can no longer do so.",
			v12:  "3.11", v16: "3.11", stride: "S,T",
		},
		mode: rule{
			why:  "Spoofing and denial of service: with this certificate the engine proves to its clients who it is; who may write the file can replace or spoil it.",
			risk: "A tool that renews the certificate without being root can no longer do so, and a group that alone could read it is locked out.",
			v12:  "3.12", v16: "3.12", stride: "S,T",
		},
	}
}

func tlsKey() engineFile {
	return engineFile{
		id: "tls-key", name: "The key of the engine's TLS", wants: []roleModes{{inventory.RoleTLSKey, keyModes()}},
		owner: rule{
			why:  "Spoofing and information disclosure: who has this key can pose as the engine towards its clients; the owner of the file can always read it.",
			risk: "Another service that uses the same key as this owner, or through this group, can no longer read it.",
			v12:  "3.13", v16: "3.13", stride: "S,I",
		},
		mode: rule{
			why:  "Spoofing and information disclosure: who may read this key can pose as the engine towards its clients, and read what they sent.",
			risk: "Another service that reads the same key through its group or as anybody can no longer do so.",
			v12:  "3.14", v16: "3.14", stride: "S,I",
		},
	}
}

func dockerSock() engineFile {
	return engineFile{
		id: "docker-sock", name: "The engine's socket", wants: []roleModes{{inventory.RoleEngineSocket, socketModes()}},
		owner: rule{
			why:  "Elevation of privilege: who may write to the engine's socket starts a privileged container and has the host. It is for root and the group docker only.",
			risk: "Whoever talked to the engine as another owner, or through another group, loses it.",
			v12:  "3.15", v16: "3.15", stride: "E,T",
		},
		mode: rule{
			why:  "Elevation of privilege: who may write to the engine's socket starts a privileged container and has the host; with mode 0666 that is everybody.",
			risk: "Whoever talked to the engine without being root or in its group loses it.",
			v12:  "3.16", v16: "3.16", stride: "E,T",
		},
	}
}

func daemonJSON() engineFile {
	return engineFile{
		id: "daemon-json", name: "daemon.json", wants: []roleModes{{roleDaemonJSON, configModes()}},
		owner: rule{
			why:  "Tampering and elevation of privilege: who may write daemon.json decides how the engine runs at its next start, and so is root on the host.",
			risk: "A deployment tool that edits the file as another user can no longer do so.",
			v12:  "3.17", v16: "3.17", stride: "T,E",
		},
		mode: rule{
			why:  "Tampering and elevation of privilege: a daemon.json that others may write lets them set how the engine runs at its next start, and so gives them the host.",
			risk: "A deployment tool that edits the file through its group or as anybody can no longer do so.",
			v12:  "3.18", v16: "3.18", stride: "T,E",
		},
	}
}

func etcDefault() engineFile {
	return engineFile{
		id: "etc-default", name: "/etc/default/docker", wants: []roleModes{{inventory.RoleDefaults, unitModes()}},
		owner: rule{
			why:  "Tampering and elevation of privilege: flags of the engine's next start are read from this file, by a script that runs it as root or through the unit.",
			risk: "A deployment tool that edits the file as another user can no longer do so.",
			v12:  "3.19", v16: "3.19", stride: "T,E",
		},
		mode: rule{
			why:  "Tampering and elevation of privilege: flags of the engine's next start are read from this file, whoever wrote them there.",
			risk: "A deployment tool that edits the file through its group or as anybody can no longer do so.",
			v12:  "3.22", v16: "3.20", stride: "T,E",
		},
	}
}

func sysconfig() engineFile {
	return engineFile{
		id: "sysconfig", name: "/etc/sysconfig/docker", wants: []roleModes{{inventory.RoleSysconfig, unitModes()}},
		owner: rule{
			why:  "Tampering and elevation of privilege: on Red Hat's systems and their like, flags of the engine's next start are read from this file.",
			risk: "A deployment tool that edits the file as another user can no longer do so.",
			v12:  "3.20", v16: "3.22", stride: "T,E",
		},
		mode: rule{
			why:  "Tampering and elevation of privilege: on Red Hat's systems and their like, flags of the engine's next start are read from this file, whoever wrote them there.",
			risk: "A deployment tool that edits the file through its group or as anybody can no longer do so.",
			v12:  "3.21", v16: "3.21", stride: "T,E",
		},
	}
}

func containerdSock() engineFile {
	return engineFile{
		id: "containerd-sock", name: "containerd's socket", wants: []roleModes{{inventory.RoleContainerdSocket, socketModes()}},
		owner: rule{
			why:  "Elevation of privilege: who may write to containerd's socket starts containers past the engine and has the host. It is for root alone.",
			risk: "Whoever talked to containerd as another owner, or through a group, loses it.",
			v16:  "3.23", stride: "E,T",
		},
		mode: rule{
			why:  "Elevation of privilege: who may write to containerd's socket starts containers past the engine and has the host.",
			risk: "Whoever talked to containerd without being root loses it.",
			v16:  "3.24", stride: "E,T",
		},
	}
}

// table is every row, for what concerns all of them.
func table() []engineFile {
	return []engineFile{
		serviceUnit(), socketUnit(), etcDocker(), registryCerts(), tlsCA(), tlsCert(), tlsKey(), dockerSock(), daemonJSON(),
		etcDefault(), sysconfig(), containerdSock(),
	}
}

// sockets reports whether a row is about sockets, which are judged only: see socket_access.go.
func (f engineFile) sockets() bool {
	return f.wants[0].role == inventory.RoleEngineSocket || f.wants[0].role == inventory.RoleContainerdSocket
}

// refs are the numbers and letters of a rule.
func (r rule) refs() map[string]string {
	refs := map[string]string{"cis-docker-1.6.0": r.v16, "cis-docker-1.8.0": r.v16, "stride": r.stride}
	if r.v12 != "" {
		refs["cis-docker-1.2.0"] = r.v12
	}
	return refs
}

// fileSeverity is that of every row: each gives the host away.
const fileSeverity = plan.RiskHigh
