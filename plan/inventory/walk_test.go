package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// bothWays compares walk with decode.
func bothWays(t *testing.T, name string, raw []byte) {
	t.Helper()
	walked, decoded := Container{Raw: raw}, Container{Raw: raw}
	_, walkErr := walked.walk()
	if err := decoded.decode(); fmt.Sprint(err) != fmt.Sprint(walkErr) {
		t.Errorf("%s: walked %v, decoded %v", name, walkErr, err)
	}
	if diff := cmp.Diff(decoded.Made(), walked.Made()); diff != "" {
		t.Errorf("%s: how it was made: -decoded +walked:\n%s", name, diff)
	}
	if diff := cmp.Diff(decoded, walked, cmpopts.IgnoreUnexported(Container{})); diff != "" {
		t.Errorf("%s: -decoded +walked:\n%s", name, diff)
	}
}

func TestWalkSaysWhatDecodeSays(t *testing.T) {
	h := observeRecorded(t)
	for i := range h.Containers {
		c := &h.Containers[i]
		bothWays(t, c.Name, c.Raw)
		env, _ := (&Container{Raw: c.Raw}).walk()
		var answer struct{ Config struct{ Env []string } }
		if err := json.Unmarshal(c.Raw, &answer); err != nil || !slices.Equal(env, answer.Config.Env) {
			t.Errorf("%s: %d variables, want %d (%v)", c.Name, len(env), len(answer.Config.Env), err)
		}
	}
}

// TestWalkOddAnswers puts every kind of value in the place of every field in turn.
func TestWalkOddAnswers(t *testing.T) {
	full := map[string]any{
		"Id": "a", "Name": "/b", "Created": "c", "Image": "i", "Driver": "d", "Path": "p", "Args": []any{"x"}, "RestartCount": 3, "AppArmorProfile": "q",
		"State": map[string]any{
			"Status": "running", "Running": true, "Paused": true, "Restarting": true, "OOMKilled": true, "Pid": 7, "StartedAt": "now",
			"Health": map[string]any{"Status": "healthy", "Log": []any{}},
		},
		"Config": map[string]any{
			"User": "u", "Image": "t", "Labels": map[string]any{"a.b": "\u00e9\"<"}, "Tty": true, "StopTimeout": 4, "StopSignal": "s", "Entrypoint": []any{"e"},
			"Cmd": []any{}, "Hostname": "h", "WorkingDir": "/w", "Env": []any{"PATH=/x"},
		},
		"HostConfig": map[string]any{
			"Binds": []any{"/a:/b"}, "NetworkMode": "n", "PidMode": "p", "IpcMode": "i", "UTSMode": "u", "UsernsMode": "v", "AutoRemove": true, "Privileged": true,
			"ReadonlyRootfs": true, "PublishAllPorts": true, "PortBindings": map[string]any{"80/tcp": []any{map[string]any{"HostIp": "::", "HostPort": "1"}}},
			"CapAdd": []any{"A"}, "CapDrop": []any{"B"}, "SecurityOpt": []any{"seccomp={\"a\":1}"}, "VolumesFrom": []any{"v"}, "Links": []any{"l"},
			"Tmpfs": map[string]any{"/t": "size=1"}, "Memory": 1, "MemorySwap": -1, "MemoryReservation": 2, "NanoCpus": 3, "CpuShares": 4, "CpuQuota": 5, "PidsLimit": 6,
			"Runtime": "runc", "RestartPolicy": map[string]any{"Name": "always", "MaximumRetryCount": 2},
		},
		"Mounts":      []any{map[string]any{"Type": "bind", "Source": "/a", "Destination": "/z", "RW": true}, map[string]any{"Type": "tmpfs", "Destination": "/b"}},
		"GraphDriver": map[string]any{"Name": "overlay2", "Data": map[string]any{"UpperDir": "/u"}},
		"NetworkSettings": map[string]any{
			"Ports": map[string]any{"80/tcp": nil, "81/tcp": []any{}}, "Networks": map[string]any{"bridge": map[string]any{"IPAddress": "1.2.3.4", "Links": nil}, "x": nil},
		},
	}
	encode := func() []byte {
		raw, err := json.Marshal(full)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	var everywhere func(name string, object map[string]any)
	everywhere = func(name string, object map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(object)) {
			was := object[key]
			for _, odd := range []any{nil, "", "text", 0, -3, 1.5, 1e30, true, []any{}, []any{nil, "x"}, []any{1}, map[string]any{}, map[string]any{"k": "v"}, map[string]any{"k": 1}} {
				object[key] = odd
				bothWays(t, fmt.Sprintf("%s.%s = %v", name, key, odd), encode())
			}
			delete(object, key)
			bothWays(t, name+"."+key+" missing", encode())
			object[key] = was
			if inner, ok := was.(map[string]any); ok {
				everywhere(name+"."+key, inner)
			}
		}
	}
	everywhere("", full)
	bothWays(t, "with space", bytes.ReplaceAll(encode(), []byte(","), []byte(" ,\n ")))
	for _, raw := range []string{"", "null", "[]", "{", `{"Id":"a","Name":"/b"`, strings.Repeat("[", 10000)} {
		bothWays(t, raw[:min(len(raw), 30)], []byte(raw))
	}
}
