package docker

import (
	"encoding/json"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
)

// changePorts is what a new container publishes, and what the engine has open for it then.
func changePorts(t *testing.T, c *inventory.Container, changes []plan.Change) {
	t.Helper()
	after, err := plan.Publish(c.Inspect.HostConfig.PortBindings, changes)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		if p, _, ok := plan.PortOf(change.Path); ok {
			c.Inspect.HostConfig.PortBindings = after
			delete(c.Inspect.NetworkSettings.Ports, p.Inside)
		}
	}
}

// Answers of three controls about the ports of one container, two about the same port, are one step with all of their
// changes; a plan that leaves one control out has those of the others.
func TestAnswersAboutOneContainer(t *testing.T) {
	c := ordinaryContainer("web")
	c.Inspect.HostConfig.PortBindings = map[string][]inventory.Port{"80/tcp": {{HostPort: "80"}}, "9090/tcp": {{HostIP: "0.0.0.0", HostPort: "9090"}}}
	h := ordinaryHost()
	h.Containers = []inventory.Container{c}
	p := load(t, []byte(`controls:
  docker/host-interface: {params: {address: 127.0.0.1}}
  docker/privileged-ports: {params: {move: ["80=8080"]}}
  docker/open-ports: {params: {needed: [80/tcp], unpublished: [9090/tcp]}}
`))
	for skip, want := range map[string]string{
		"":                      `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`,
		"docker/host-interface": `{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`,
		privilegedPortsID:       `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"80"}]}`,
		openPortsID:             `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"9090/tcp":[{"HostIp":"127.0.0.1","HostPort":"9090"}]}`,
	} {
		in := plan.Input{
			Findings: control.Evaluate(h, p, Controls(), now), Made: now, Rules: control.Rules(Controls()),
			Basis: func(plan.Resource) (plan.Basis, bool) { return plan.Basis{}, true },
		}
		if skip != "" {
			in.Select.SkipControls = []string{skip}
		}
		made, err := plan.Build(in)
		if err != nil || len(made.Steps) != 1 {
			t.Fatalf("without %q: %v, %d steps", skip, err, len(made.Steps))
		}
		after, err := plan.Publish(c.Inspect.HostConfig.PortBindings, made.Steps[0].Changes)
		if err != nil || string(raw(after)) != want {
			t.Errorf("without %q: %s, want %s, %v", skip, raw(after), want, err)
		}
	}
}

// A plan may publish a port where the profile says, and nowhere else.
func TestPublishesAsAsked(t *testing.T) {
	c := ordinaryContainer("web")
	at := inventory.Port{HostPort: "80"}
	c.Inspect.HostConfig.PortBindings = map[string][]inventory.Port{"80/tcp": {at}}
	port := plan.Port{Inside: "80/tcp", PortBinding: at}
	h := ordinaryHost()
	const answers = `controls:
  docker/host-interface: {params: {address: 127.0.0.1}}
  docker/privileged-ports: {params: {move: ["80=8080"]}}
  docker/open-ports: {params: {unpublished: [80/tcp]}}
`
	for _, tt := range []struct {
		profile, setting, to string
		may                  bool
	}{
		{answers, plan.PortAddress, `"127.0.0.1"`, true},
		{answers, plan.PortNumber, `"8080"`, true},
		{answers, plan.PortPublished, `false`, true},
		{answers, plan.PortAddress, `"192.0.2.7"`, false},
		{answers, plan.PortAddress, `""`, false},
		{answers, plan.PortNumber, `"22"`, false},
		{answers, plan.PortNumber, `8080`, false},
		{answers, plan.PortPublished, `true`, false},
		{"controls: {docker/host-interface: {}, docker/privileged-ports: {}, docker/open-ports: {}}\n", plan.PortAddress, `"127.0.0.1"`, false},
		{"controls: {docker/host-interface: {}, docker/privileged-ports: {}, docker/open-ports: {}}\n", plan.PortNumber, `"8080"`, false},
		{"controls: {docker/host-interface: {}, docker/privileged-ports: {}, docker/open-ports: {}}\n", plan.PortPublished, `false`, false},
		{`controls: {docker/host-interface: {params: {address: "0.0.0.0"}}}` + "\n", plan.PortAddress, `"0.0.0.0"`, false},
		{`controls: {docker/privileged-ports: {params: {move: ["80=22"]}}}` + "\n", plan.PortNumber, `"22"`, false},
		{`controls: {docker/icc: {}}` + "\n", plan.PortAddress, `"127.0.0.1"`, false},
	} {
		change := portChange(port, tt.setting, nil, nil)
		change.To = json.RawMessage(tt.to)
		if got := ChangesContainer(h, &c, load(t, []byte(tt.profile)), change); got != tt.may {
			t.Errorf("%s to %s with %s: %t", tt.setting, tt.to, tt.profile, got)
		}
	}
	other := portChange(plan.Port{Inside: "80/tcp", PortBinding: inventory.Port{HostPort: "81"}}, plan.PortAddress, "", "127.0.0.1")
	all := plan.Change{Path: plan.PortsPath, To: json.RawMessage(`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"80"}]}`)}
	for _, change := range []plan.Change{other, all} {
		if ChangesContainer(h, &c, load(t, []byte(answers)), change) {
			t.Errorf("%s may be changed", change.Path)
		}
	}
}
