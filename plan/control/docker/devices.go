package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func hostDevices() control.Control {
	return control.Control{
		ID:    "docker/devices",
		Title: "The container has no devices of the host",
		Why:   "Elevation of privilege and denial of service: who can write to a device can often write to the host's memory or disks.",
		Risk:  "Nothing is changed: only who runs the service knows which devices it works with.",
		Fix:   "By hand: take away devices that are not needed, or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.17", "cis-docker-1.6.0": "5.18", "cis-docker-1.8.0": "5.18", "stride": "E,D",
		},
		Class:     control.Reported,
		Verified:  "inspect (HostConfig.Devices, DeviceRequests)",
		Severity:  plan.RiskMedium,
		Container: judgeDevices,
	}
}

func judgeDevices(_ *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	var names []string
	for _, d := range c.Inspect.HostConfig.Devices {
		names = append(names, plainName(d.PathOnHost))
	}
	for _, r := range c.Inspect.HostConfig.DeviceRequests {
		name := "devices of driver " + plainName(r.Driver)
		if r.Driver == "" {
			name = "devices by request (GPU)"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return verdict(plan.Pass, "it has no devices of the host")
	}
	return ask(verdict(plan.Manual, "it has %s", list(names)), "Does it need every one of them, and to write to it?", answerException(c, "docker/devices"))
}
