package docker

import (
	"fmt"
	"slices"

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
		Risk:  "A service that works with a device it no longer has fails, maybe only when it opens it.",
		Fix:   "With accept, a new container has those of its devices that needed names, as it had them; the old one is kept. Devices by request (GPU) are left alone. Undone by the old container.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.17", "cis-docker-1.6.0": "5.18", "cis-docker-1.8.0": "5.18", "stride": "E,D",
		},
		Class:    control.Answer,
		Verified: "inspect (HostConfig.Devices, DeviceRequests)",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			{Name: "needed", Type: profile.TypeList, Default: []string(nil), Doc: "devices of the host that the container needs, as they are there"},
			acceptParam("take away the devices that needed does not name"),
		},
		Container: judgeDevices,
	}
}

func judgeDevices(_ *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	hc := &c.Inspect.HostConfig
	if hc.Privileged {
		return verdict(plan.NotApplicable, "it is privileged, which gives it every device: see docker/privileged")
	}
	var open, all, requests []string
	kept := []inventory.Device{}
	for _, d := range hc.Devices {
		all = append(all, d.PathOnHost)
		if slices.Contains(p.List("needed"), d.PathOnHost) {
			kept = append(kept, d)
			continue
		}
		open = append(open, plainName(d.PathOnHost))
	}
	for _, r := range hc.DeviceRequests {
		name := "devices of driver " + plainName(r.Driver)
		if r.Driver == "" {
			name = "devices by request (GPU)"
		}
		requests = append(requests, name)
	}
	for _, rule := range hc.DeviceCgroupRules { // it can make the node itself, with MKNOD
		requests = append(requests, "whatever rule "+plainName(rule)+" opens")
	}
	f := verdict(plan.Fail, "it has %s", list(append(slices.Clone(open), requests...)))
	const question = "Does it need every one of them, and to write to it?"
	switch {
	case len(all)+len(requests) == 0:
		return verdict(plan.Pass, "it has no devices of the host")
	case len(open)+len(requests) == 0:
		return verdict(plan.Pass, "every device that it has is needed, says the profile")
	case len(open) == 0:
		return ask(f, question, answerException(c, "docker/devices"))
	case !p.Bool("accept"):
		answer := fmt.Sprintf("needed: %s, accept: true", raw(all))
		if len(requests) > 0 {
			return ask(f, question, answerException(c, "docker/devices"))
		}
		return ask(f, question+" Leave in needed what it needs: accept takes the others away.", answerContainer(c, "docker/devices", answer))
	}
	f.Changes = []plan.Change{recreateChange("Devices", hc.Devices, kept)}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "whether it uses them was not observed")
	return f
}
