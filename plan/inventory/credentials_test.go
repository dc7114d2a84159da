package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"

	"docker-harden/plan/secret"
)

// accessKey looks like a real one; it is put together so that no scanner takes it for one.
const accessKey = "AKIA" + "Q3EGR7ZJ5XN2KDMP"

// sentinels are values that must never leave the process, each in a place of its own.
func sentinels() (host *Host, values []string) {
	value := func(name string) string {
		values = append(values, "sentinel-"+name+"-93175")
		return values[len(values)-1]
	}
	config := func(of string) map[string]any {
		return map[string]any{
			"Env": []string{
				"PATH=/bin", of + "_PASSWORD=" + value(of+"-env"), "PLAIN=" + value(of+"-plain"), "URL=postgres://u:" + value(of+"-url") + "@db/x",
			},
			"Labels": map[string]string{"api.token": value(of + "-label"), "note": "key " + accessKey, "team": "web", accessKey: "x"},
			"Cmd":    []string{"run", "--signing-key", value(of + "-word"), "--password=" + value(of+"-flag"), "sh -c 'MY_KEY=" + value(of+"-shell") + " x'"},
			"Healthcheck": map[string]any{
				"Test": []string{"CMD-SHELL", "check --access-token " + value(of+"-check")},
			},
		}
	}
	const id = "sha256:1"
	c := Container{Raw: marshal(map[string]any{"Id": strings.Repeat("c", 64), "Name": "/web", "Image": id, "Config": config("own"), "Args": []string{"--token=" + value("args"), accessKey}})}
	if err := c.decode(); err != nil {
		panic(err)
	}
	im := Image{ID: id, Raw: marshal(map[string]any{"Config": config("image")}), Cmd: []string{"x", "--secret", value("cmd")}, History: []ImageLayer{
		{Command: "RUN |1 NPM_TOKEN=" + value("arg") + " /bin/sh -c npm ci"},
		{Command: "ENV SIGNING_KEY=" + value("history")},
		{Command: "RUN curl https://u:" + value("curl") + "@x/ && echo " + accessKey},
	}}
	values = append(values, accessKey)
	return &Host{Format: SnapshotFormat, Containers: []Container{c}, Images: map[string]Image{id: im}}, values
}

func marshal(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// TestNoSecretInSnapshot puts credentials everywhere and looks for each in a snapshot.
func TestNoSecretInSnapshot(t *testing.T) {
	h, values := sentinels()
	all := string(marshal(h))
	var file bytes.Buffer
	if err := h.Save(&file); err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		if !strings.Contains(all, value) {
			t.Errorf("%s was not in the host", value)
		}
		if strings.Contains(file.String(), value) {
			t.Errorf("%s is in the snapshot", value)
		}
	}
	if again := string(marshal(h)); again != all {
		t.Error("the original was changed")
	}
	for _, kept := range []string{`"team":"web"`, `PATH=`, `"note":"key ***"`, "npm ci", "ENV SIGNING_KEY=***", "curl https://***@x/", "echo ***"} {
		if !strings.Contains(strings.NewReplacer("\n", "", `": "`, `":"`).Replace(file.String()), kept) {
			t.Errorf("%s is not in the snapshot:\n%s", kept, file.String())
		}
	}
}

// TestCredentialsOfSnapshot finds in a snapshot what was found in the host, though nothing of it is left there.
func TestCredentialsOfSnapshot(t *testing.T) {
	h, _ := sentinels()
	d := secret.New()
	container, im := h.Credentials(&h.Containers[0], d), h.Images["sha256:1"]
	built := h.ImageCredentials(&im, d)
	if len(container) != 7 || len(built) != 12 {
		t.Errorf("found %d: %v\nand %d: %v", len(container), container, len(built), built)
	}
	var file bytes.Buffer
	if err := h.Save(&file); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(&file, "host.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	im = loaded.Images["sha256:1"]
	if got := loaded.Credentials(&loaded.Containers[0], d); !slices.Equal(got, container) {
		t.Errorf("container: %v, want %v", got, container)
	}
	if got := loaded.ImageCredentials(&im, d); !slices.Equal(got, built) {
		t.Errorf("image: %v, want %v", got, built)
	}
}

// TestCredentialsMaskedBefore tells a host without credentials from one where nobody looked.
func TestCredentialsMaskedBefore(t *testing.T) {
	h := &Host{Redacted: true, Images: map[string]Image{}}
	if h.Credentials(&Container{}, secret.New()) != nil || h.ImageCredentials(&Image{}, secret.New()) != nil {
		t.Error("found something in what was masked")
	}
	h.Redacted = false
	if h.Credentials(&Container{}, secret.New()) == nil || h.ImageCredentials(&Image{}, secret.New()) == nil {
		t.Error("an empty host was not looked at")
	}
	h.Containers = []Container{{Raw: json.RawMessage(`{"Id":"1","Name":"/x"}`)}}
	data := marshal(h.Redact())
	if !strings.Contains(string(data), `"credentials":[]`) {
		t.Errorf("%s", data)
	}
}

func TestHistory(t *testing.T) {
	var mutex sync.Mutex
	asked := map[string]int{}
	engine := recordedEngine{t: t, dir: recordedDir, history: func(id string) ([]image.HistoryResponseItem, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if asked[id]++; len(asked) > 1 {
			return nil, errors.New("it is gone")
		}
		return []image.HistoryResponseItem{{Created: 7, CreatedBy: "CMD x", Size: 1}, {Created: 6, CreatedBy: "ADD y"}}, nil
	}}
	h, err := Collect(context.Background(), engine, Options{History: true})
	if err != nil {
		t.Fatal(err)
	}
	read, problems := 0, 0
	for id, im := range h.Images {
		switch {
		case im.Missing:
			continue
		case im.HistoryProblem != "":
			problems++
			if im.HistoryProblem != "cannot read the image's history: it is gone" || im.History != nil {
				t.Errorf("%s: %q", id, im.HistoryProblem)
			}
		default:
			read++
			if want := []ImageLayer{{7, "CMD x", 1}, {6, "ADD y", 0}}; !slices.Equal(im.History, want) {
				t.Errorf("%s: %v", id, im.History)
			}
		}
		if asked[id] != 1 {
			t.Errorf("%s was asked for %d times", id, asked[id])
		}
	}
	if read != 1 || problems != len(asked)-1 {
		t.Errorf("%d read, %d problems, asked %s", read, problems, fmt.Sprint(asked))
	}
}

func TestHistoryIsNotAskedForUnasked(t *testing.T) {
	h, err := Collect(context.Background(), recordedEngine{t: t, dir: recordedDir, history: func(string) ([]image.HistoryResponseItem, error) {
		t.Error("asked for a history")
		return nil, nil
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for id, im := range h.Images {
		if im.History != nil || im.HistoryProblem != "" {
			t.Errorf("%s: %v", id, im)
		}
	}
}
