package container

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan"
)

// moved is a container that left the host's network and asks for ports; sockets are the lines of its kernel's tables.
func moved(t *testing.T, bindings, bound string, tables map[string]string) *swap {
	t.Helper()
	root := t.TempDir()
	for name, text := range tables {
		file := filepath.Join(root, "proc/7/net", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("head\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, c := &state{}, &state{}
	old.HostConfig.NetworkMode = "host"
	c.raw = json.RawMessage(fmt.Sprintf(`{"State":{"Pid":7},"HostConfig":{"NetworkMode":"bridge","PortBindings":%s},"NetworkSettings":{"Ports":%s}}`, bindings, bound))
	if err := json.Unmarshal(c.raw, c); err != nil {
		t.Fatal(err)
	}
	return &swap{r: &Recreator{Options: Options{Root: root}}, old: old, new: c, changes: changeList{{Path: plan.NetworkModePath}}}
}

func listening(address string, port int) string {
	return fmt.Sprintf(" 0: %s:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1001 1 0 100 0 0 10 0\n", address, port)
}

func TestBoundTruth(t *testing.T) {
	for name, tt := range map[string]struct{ asked, bound, want string }{
		"as asked":         {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`, `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`, ""},
		"none":             {`null`, `{"80/tcp":null}`, ""},
		"not at all":       {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`, `{"80/tcp":null}`, "80/tcp is not published on 127.0.0.1:8080"},
		"another address":  {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}`, "is not published on 127.0.0.1"},
		"another port":     {`{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8081"}]}`, "is not published"},
		"every address":    {`{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}]}`, ""},
		"one for all":      {`{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}`, `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}`, "is not published"},
		"in other words":   {`{"80/tcp":[{"HostIp":"0:0::1","HostPort":"8080"}]}`, `{"80/tcp":[{"HostIp":"::1","HostPort":"8080"}]}`, ""},
		"any port":         {`{"80/tcp":[{"HostIp":"","HostPort":""}],"81/tcp":[{"HostIp":"","HostPort":"0"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"32768"}],"81/tcp":[{"HostIp":"0.0.0.0","HostPort":"32769"}]}`, ""},
		"one of a range":   {`{"80/tcp":[{"HostIp":"","HostPort":"8000-8002"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8002"}]}`, ""},
		"out of the range": {`{"80/tcp":[{"HostIp":"","HostPort":"8000-8002"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8003"}]}`, "is not published"},
		"the second":       {`{"53/udp":[{"HostIp":"","HostPort":"53"}],"80/tcp":[{"HostIp":"","HostPort":"80"}]}`, `{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"80"}]}`, "53/udp is not published"},
	} {
		t.Run(name, func(t *testing.T) {
			x := moved(t, tt.asked, tt.bound, nil)
			got := strings.Join(x.boundTruth(), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			x.changes = nil
			if got := x.boundTruth(); got != nil {
				t.Errorf("of a container that does not leave the host's network: %q", got)
			}
		})
	}
}

// Of ports that the plan changes, nothing may be open beside what was asked for.
func TestOpenTruth(t *testing.T) {
	port := func(inside, number, setting string) plan.Change {
		return plan.Change{Path: plan.PortPath(plan.Port{Inside: inside, PortBinding: plan.PortBinding{HostPort: number}}, setting)}
	}
	changes := changeList{port("80/tcp", "80", plan.PortAddress), port("90/tcp", "90", plan.PortPublished), port("80/tcp", "80", plan.PortNumber)}
	const asked = `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"81/tcp":[{"HostIp":"","HostPort":""}]}`
	for name, tt := range map[string]struct{ bound, want string }{
		"as asked":              {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"81/tcp":[{"HostIp":"0.0.0.0","HostPort":"32768"}],"90/tcp":null}`, ""},
		"still on all":          {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"},{"HostIp":"0.0.0.0","HostPort":"80"}],"81/tcp":[{"HostIp":"0.0.0.0","HostPort":"1"}]}`, "port 80/tcp is published on 0.0.0.0:80 too"},
		"still published":       {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"81/tcp":[{"HostIp":"::","HostPort":"1"}],"90/tcp":[{"HostIp":"::","HostPort":"90"}]}`, "port 90/tcp is published on :::90 too"},
		"not published at all":  {`{"81/tcp":[{"HostIp":"::","HostPort":"1"}]}`, "port 80/tcp is not published on 127.0.0.1:8080"},
		"another as nobody had": {`{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"82/tcp":[{"HostIp":"::","HostPort":"82"}],"81/tcp":[{"HostIp":"::","HostPort":"1"}]}`, ""},
	} {
		x := moved(t, asked, tt.bound, nil)
		x.old.HostConfig.NetworkMode, x.changes = "bridge", changes
		if got := strings.Join(x.boundTruth(), "; "); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if x.unpublished("80/tcp") || x.unpublished("81/tcp") || !x.unpublished("90/tcp") {
			t.Errorf("%s: what is unpublished is not seen", name)
		}
	}
}

func TestDeaf(t *testing.T) {
	const asks = `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"53/udp":[{"HostIp":"","HostPort":"53"}]}`
	const loopback6 = "00000000000000000000000001000000"
	for name, tt := range map[string]struct {
		tables map[string]string
		want   string
	}{
		"everywhere":       {map[string]string{"tcp": listening("00000000", 80)}, ""},
		"everywhere, IPv6": {map[string]string{"tcp": "", "tcp6": listening("00000000000000000000000000000000", 80)}, ""},
		"nobody":           {map[string]string{"tcp": ""}, "does not listen on port 80/tcp"},
		"another port":     {map[string]string{"tcp": listening("00000000", 8080)}, "does not listen on port 80/tcp"},
		"127.0.0.1 only":   {map[string]string{"tcp": listening("0100007F", 80)}, "does not listen on port 80/tcp"},
		"::1 only":         {map[string]string{"tcp": "", "tcp6": listening(loopback6, 80)}, "does not listen on port 80/tcp"},
		"its own address":  {map[string]string{"tcp": listening("020011AC", 80)}, ""},
		"not to be read":   {nil, "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			x := moved(t, asks, `{}`, tt.tables)
			if got := x.deaf(); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			x.old.HostConfig.NetworkMode = "shop"
			if got := x.deaf(); got != "" {
				t.Errorf("of a container that does not leave the host's network: %q", got)
			}
		})
	}
}
