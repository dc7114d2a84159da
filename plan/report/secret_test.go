package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	docker "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// sentinel is what every credential of secretHost starts with.
const sentinel = "sentinel-31807-"

// secretHost is a host with a credential in every place where one can be read, as its snapshot or as it is. A snapshot
// has them masked.
func secretHost(t *testing.T, masked bool) *inventory.Host {
	t.Helper()
	// What a known rule finds by its looks is put together so that no scanner takes it for real.
	known := "ghp_" + "x7Kq2mVb9ZtR4wLc8NpY1sHd6JfG3aEuQ5oT"
	config := func(of string) string {
		s := sentinel + of
		return `{"Env":["DB_PASSWORD=` + s + `-env","URL=https://u:` + s + `-url@host/","ANY=` + known + `"],"Labels":{"api.token":"` + s + `-label","` + known + `":"x"},` +
			`"Entrypoint":["run","--secret","` + s + `-word"],"Cmd":["--password=` + s + `-flag","sh -c 'MY_KEY=` + s + `-shell x'"],` +
			`"Healthcheck":{"Test":["CMD-SHELL","check --access-token ` + s + `-check"]},"Image":"web"}`
	}
	const id = "sha256:00"
	image := inventory.Image{ID: id, Raw: json.RawMessage(`{"Created":"2026-01-01T00:00:00Z","Config":` + config("image") + `}`), History: []inventory.ImageLayer{
		{Command: "RUN |1 NPM_TOKEN=" + sentinel + "history npm ci"}, {Command: "ADD https://u:" + sentinel + "add@x /y"}, {Command: "RUN apt-get -o password=" + sentinel + "apt update"}, {Command: "ADD rootfs /"},
	}}
	raw := `{"Id":"` + strings.Repeat("a", 64) + `","Name":"/web","Image":"` + id + `","Path":"run","Args":["--secret","` + sentinel + `args"],"Config":` + config("own") + `,"State":{"Running":false,"Status":"exited"},"HostConfig":{"NetworkMode":"default"}}`
	host := inventory.Host{Format: inventory.SnapshotFormat, Engine: inventory.Engine{Product: "docker", Local: true}, Images: map[string]inventory.Image{id: image}}
	host.Containers = []inventory.Container{{ID: strings.Repeat("a", 64), Name: "web", Raw: json.RawMessage(raw)}}
	if err := json.Unmarshal([]byte(raw), &host.Containers[0].Inspect); err != nil {
		t.Fatal(err)
	}
	if !masked {
		return &host
	}
	var file bytes.Buffer
	if err := host.Save(&file); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{sentinel, known} {
		if strings.Contains(file.String(), secret) {
			t.Errorf("the snapshot holds %s:\n%s", secret, file.String())
		}
	}
	loaded, err := inventory.Load(&file, "host.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// TestNoSecretInAnyFormat puts credentials everywhere, judges by every control, and looks for them in the plan file and
// in everything that can be printed. Away from the host the findings are the same.
func TestNoSecretInAnyFormat(t *testing.T) {
	rules := docker.Controls()
	p := &profile.Profile{Controls: map[string]profile.Setting{}}
	for _, c := range rules {
		p.Controls[c.ID] = profile.Setting{}
	}
	found := map[bool]string{}
	for _, masked := range []bool{false, true} {
		h := secretHost(t, masked)
		now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		findings := control.Evaluate(h, p, rules, now)
		for _, f := range findings {
			if strings.HasPrefix(f.Control, "docker/secrets-in-") {
				found[masked] += f.Control + " " + string(f.Status) + " " + f.Message + "\n"
			}
		}
		made, err := plan.Build(plan.Input{
			Findings: findings, Basis: h.Basis, Bound: control.Bound(h, p, findings), Rules: control.Rules(rules), Made: now,
			Profile: plan.Profile{Name: "all", SHA256: strings.Repeat("0", 64)}, FromSnapshot: h.Snapshot,
		})
		if err != nil {
			t.Fatal(err)
		}
		file, _, err := plan.Encode(made)
		if err != nil {
			t.Fatal(err)
		}
		outputs := map[string]string{"plan file": string(file)}
		for name, write := range formats(made) {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			outputs[name] = out.String()
		}
		for name, out := range outputs {
			if strings.Contains(out, sentinel) || strings.Contains(out, "x7Kq2mVb9ZtR4") {
				t.Errorf("masked %v: %s holds a credential", masked, name)
			}
		}
		if text := outputs["plan file"]; !strings.Contains(text, "env DB_PASSWORD") || !strings.Contains(text, "found by rule github-pat") || !strings.Contains(text, "history layer 4") {
			t.Errorf("masked %v: the findings do not say where the credentials are", masked)
		}
	}
	if found[false] == "" || found[false] != found[true] {
		t.Errorf("on the host:\n%s\naway from it:\n%s", found[false], found[true])
	}
}
