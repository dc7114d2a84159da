package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/client"

	"docker-harden/plan"
)

// spoilt answers as the recorded engine did, but for paths that contain path.
type spoilt struct {
	path   string
	answer []byte
	status int
}

func (s spoilt) RoundTrip(r *http.Request) (*http.Response, error) {
	_, asked, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	asked = "/" + asked
	data, status := s.recorded(asked), http.StatusOK
	switch {
	case s.path != "" && strings.Contains(asked, s.path):
		data, status = s.answer, s.status
	case data == nil:
		data, status = []byte(`{"message":"no such thing"}`), http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Api-Version": {"1.41"}},
		Body: io.NopCloser(bytes.NewReader(data)), Request: r,
	}, nil
}

func (s spoilt) recorded(asked string) []byte {
	name := ""
	switch parts := strings.Split(strings.Trim(asked, "/"), "/"); {
	case strings.HasSuffix(asked, "_ping"):
		return []byte("OK")
	case asked == "/containers/json":
		name = "list.json"
	case parts[0] == "containers" && len(parts) == 3:
		name = filepath.Join("containers", parts[1]+".json")
	case parts[0] == "images" && len(parts) == 3:
		name = imageFile(parts[1])
	case parts[0] == "networks":
		name = "network-bridge.json"
	case len(parts) == 1:
		name = parts[0] + ".json"
	}
	data, err := os.ReadFile(filepath.Join(recordedDir, name))
	switch {
	case err != nil:
		return nil
	case name == "network-bridge.json":
		return slices.Concat([]byte("["), data, []byte("]"))
	}
	return data
}

func observeSpoilt(t *testing.T, s spoilt) (*Host, error) {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost("tcp://recorded:2375"), client.WithHTTPClient(&http.Client{Transport: s}), client.WithVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return Collect(context.Background(), c, Options{Root: t.TempDir()})
}

// sound checks what holds for every observation: it can be saved, read again, and asked for what it saw.
func sound(t *testing.T, h *Host) {
	t.Helper()
	var out bytes.Buffer
	if err := h.Save(&out); err != nil {
		t.Fatalf("it cannot be saved: %v", err)
	}
	if _, err := Load(bytes.NewReader(out.Bytes()), "saved"); err != nil {
		t.Fatalf("it cannot be read again: %v", err)
	}
	for i := range h.Containers {
		c := &h.Containers[i]
		if c.Problem == "" && !json.Valid(c.Raw) {
			t.Errorf("container %q: its description is no JSON", c.Name)
		}
		h.Basis(c.Resource())
	}
	h.Basis(plan.Daemon())
}

// TestSpoiltSound: without anything spoilt the recorded engine is seen as it is.
func TestSpoiltSound(t *testing.T) {
	h, err := observeSpoilt(t, spoilt{})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Containers) != 12 {
		t.Errorf("%d containers", len(h.Containers))
	}
	sound(t, h)
}

// FuzzAnswers puts any answer in place of one of the engine's: an error, or an observation that is sound.
func FuzzAnswers(f *testing.F) {
	for _, path := range []string{"/version", "/info", "/containers/json", "/json", "/images/", "/networks"} {
		for _, answer := range []string{
			"", "null", "[]", "{}", "7", `{"Id":7}`, `[{"Id":"x","Names":[""]}]`, `[{"Id":null,"Names":null}]`,
			`{"Id":"` + strings.Repeat("a", 64) + `","Name":"/w\u001b[2J","Config":{"Labels":{"a":"b"}},"HostConfig":{"Binds":[":"]},"State":{"Running":true,"Pid":-1}}`,
		} {
			f.Add(path, []byte(answer), 200)
		}
	}
	f.Add("/info", []byte(`{"message":"x"}`), 500)
	f.Fuzz(func(t *testing.T, path string, answer []byte, status int) {
		if path == "" || status < 200 || status > 599 {
			return
		}
		h, err := observeSpoilt(t, spoilt{path, answer, status})
		if err != nil {
			return
		}
		sound(t, h)
	})
}
