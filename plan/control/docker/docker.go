// Package docker holds the controls for a Docker host: one file a control, and here the list.
//
// A control judges what is effective wherever that can be read (the engine's answers, /proc and the
// cgroups of a container's processes) and what is configured only where nothing runs; it says so.
// Configured but not effective is a failure, and so is effective but not configured, because the
// next start takes what is configured. There is no API promise before v1.
package docker

import (
	"slices"

	"docker-harden/plan/control"
	"docker-harden/plan/secret"
)

// Controls are all controls, in benchmark order (CIS Docker Benchmark 1.6.0 and later).
func Controls() []control.Control {
	return slices.Concat(attestedHost(), auditControls(), engineControls(), attestedImages(), containerControls(), attestedOperation(), attestedSwarm())
}

func engineControls() []control.Control {
	return []control.Control{
		// 1: its host
		dataPartition(),
		dockerGroup(),
		// 2: the engine
		rootless(),
		icc(),
		logLevel(),
		iptables(),
		insecureRegistries(),
		aufs(),
		devicemapper(),
		tlsOnTCP(),
		tlsCertificates(),
		defaultUlimits(),
		usernsRemap(),
		cgroupParent(),
		baseDeviceSize(),
		authorizationPlugin(),
		logDriver(),
		daemonNoNewPrivileges(),
		liveRestore(),
		userlandProxy(),
		daemonSeccomp(),
		experimental(),
		// 3: its files, see the table in engine_files.go
		ownerOf(serviceUnit()),
		modeOf(serviceUnit()),
		ownerOf(socketUnit()),
		modeOf(socketUnit()),
		ownerOf(etcDocker()),
		modeOf(etcDocker()),
		ownerOf(registryCerts()),
		modeOf(registryCerts()),
		ownerOf(tlsCA()),
		modeOf(tlsCA()),
		ownerOf(tlsCert()),
		modeOf(tlsCert()),
		ownerOf(tlsKey()),
		modeOf(tlsKey()),
		ownerOf(dockerSock()),
		modeOf(dockerSock()),
		ownerOf(daemonJSON()),
		modeOf(daemonJSON()),
		ownerOf(etcDefault()),
		modeOf(etcDefault()),
		modeOf(sysconfig()),
		ownerOf(sysconfig()),
		ownerOf(containerdSock()),
		modeOf(containerdSock()),
	}
}

func containerControls() []control.Control {
	credentials := secret.New() // one for both, because a container says most of what its image says
	return []control.Control{
		// 4: their images
		containerUser(),
		imageAge(),
		setuidRemoved(),
		imageVulnerabilities(),
		imageHealthcheck(),
		updateAlone(),
		copyNotAdd(),
		secretsInImages(credentials),
		secretsInContainers(credentials),
		// 5: containers
		swarmOff(),
		appArmor(),
		seLinux(),
		capabilities(),
		privileged(),
		sensitiveMounts(),
		noSSHD(),
		privilegedPorts(),
		openPorts(),
		hostNetwork(),
		memoryLimit(),
		swapLimit(),
		cpuShares(),
		readOnlyRootfs(),
		hostInterface(),
		restartPolicy(),
		hostPID(),
		hostIPC(),
		hostDevices(),
		ownUlimits(),
		mountPropagation(),
		hostUTS(),
		seccomp(),
		containerCgroup(),
		noNewPrivileges(),
		healthcheck(),
		imageCurrent(),
		pidsLimit(),
		defaultBridge(),
		hostUserns(),
		engineSocket(),
		// 6: what is left lying about
		containerSprawl(),
	}
}
