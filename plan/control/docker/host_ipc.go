package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostIPC() control.Control {
	return control.Control{
		ID:    "docker/host-ipc",
		Title: "The container has shared memory and queues of its own",
		Why:   "Information disclosure and tampering: with the host's ipc a container reads and writes the shared memory of databases and other services on the host.",
		Risk:  "What it shares with services of the host through shared memory, semaphores and queues is gone.",
		Fix:   "With accept, a new container has shared memory and queues of its own; the old one is kept. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.16", "cis-docker-1.6.0": "5.17", "cis-docker-1.8.0": "5.17", "stride": "I,T",
		},
		Class:    control.Answer,
		Verified: "/proc/PID/ns/ipc against that of the host, beside inspect",
		Severity: plan.RiskMedium,
		Params:   ownNamespace("shared memory and queues"),
		Container: func(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
			return judgeNamespace(c, namespace{
				control: "docker/host-ipc", kernel: "ipc", words: "the host's ipc (shared memory and queues)", option: "--ipc host",
				ask:   "Does it use shared memory together with a program of the host",
				mode:  func(c *inventory.Container) string { return c.Inspect.HostConfig.IpcMode },
				field: "IpcMode", to: "private",
			}, p)
		},
	}
}
