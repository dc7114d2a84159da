package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"docker-harden/cmd/testhost/host"
)

// daemonJSON is what a host looks like that grew by hand: every key was somebody's
// good reason once. Its uneven layout shows that edits keep the rest byte for byte.
const daemonJSON = `{
    "log-level": "debug",
    "log-driver": "json-file",
    "log-opts": {"max-size": "10m",   "max-file": "3"},
	"default-ulimits": { "nofile": {"Name":"nofile","Hard":4096,"Soft":4096} }
}
`

// A sample is one container of the workload.
type sample struct {
	name  string
	image string
	args  []string // of docker run, before the image
	cmd   []string // after it
}

// samples are two ordinary services and two containers that nobody should run so.
func samples() []sample {
	return []sample{
		{name: "web", image: "nginx", args: []string{
			"--network", "shop", "--network-alias", "www", "--restart", "always",
			"-p", "127.0.0.1:8080:80", "--label", "team=shop",
		}},
		// Somebody took care of this one already, but forgot the limits: they can be
		// set while it runs.
		{name: "cache", image: "redis", args: []string{
			"--network", "shop", "-v", "cache-data:/data", "-e", "REDIS_PASSWORD=not-for-reports",
			"--security-opt", "no-new-privileges:true",
			"--cap-drop", "NET_RAW", "--cap-drop", "MKNOD", "--cap-drop", "AUDIT_WRITE", "--cap-drop", "SETFCAP",
		}},
		// Too much power: extra capabilities, the host's network and processes, no limit.
		{name: "legacy-agent", image: "busybox", args: []string{
			"--network", "host", "--pid", "host", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE",
		}},
		// Unfiltered system calls, and a setuid program that it really needs. A shell starts it and
		// is gone then, so that nothing that can be looked at tells of the need.
		{name: "legacy-app", image: "setuid", args: []string{"--security-opt", "seccomp=unconfined", "--entrypoint", "sh"}, cmd: []string{
			"-c", "exec /usr/bin/su -s /bin/sh -c 'trap exit TERM; while :; do sleep 1; done' app",
		}},
	}
}

// startWorkload configures and starts the engine, then the sample containers.
func startWorkload(ctx context.Context, h *host.Host) error {
	if err := os.WriteFile(h.Path(host.DaemonJSON), []byte(daemonJSON), 0o644); err != nil {
		return fmt.Errorf("cannot write %s: %w", host.DaemonJSON, err)
	}
	if err := h.Boot(ctx); err != nil {
		return err
	}
	if err := docker(ctx, h, "network", "create", "--subnet", "10.77.0.0/24", "shop"); err != nil {
		return err
	}
	for _, s := range samples() {
		fmt.Fprintf(os.Stderr, "testhost: starting %s (the image %s is built the first time)\n", s.name, s.image)
		image, err := h.Load(ctx, s.image)
		if err != nil {
			return err
		}
		args := append([]string{"run", "-d", "--name", s.name}, s.args...)
		if err := docker(ctx, h, append(append(args, image), s.cmd...)...); err != nil {
			return err
		}
	}
	// A change in the writable layer, as people make them: it must not get lost.
	return docker(ctx, h, "exec", "web", "sh", "-c", "echo patched by hand >/etc/nginx/NOTE")
}

func docker(ctx context.Context, h *host.Host, args ...string) error {
	out, err := h.Command(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run docker %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
