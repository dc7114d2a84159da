package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeContext puts a context into a docker CLI's store.
func writeContext(t *testing.T, config, name, meta string, tls ...string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	write(t, filepath.Join(config, "contexts", "meta", id, "meta.json"), meta)
	dir := filepath.Join(config, "contexts", "tls", id, "docker")
	for _, file := range tls {
		write(t, filepath.Join(dir, file), "x")
	}
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEndpoint(t *testing.T) {
	config := t.TempDir()
	write(t, filepath.Join(config, "config.json"), `{"currentContext":"current","auths":{}}`)
	writeContext(t, config, "current", `{"Name":"current","Endpoints":{"docker":{"Host":"unix:///current.sock"}}}`)
	writeContext(t, config, "other", `{"Name":"other","Endpoints":{"docker":{"Host":"ssh://root@web01"}}}`)
	tlsDir := writeContext(t, config, "secure", `{"Name":"secure","Endpoints":{"docker":{"Host":"tcp://web01:2376"}}}`, "ca.pem", "cert.pem", "key.pem")
	certs := t.TempDir()
	for _, file := range []string{"ca.pem", "cert.pem", "key.pem"} {
		write(t, filepath.Join(certs, file), "x")
	}
	plain := func(host string) endpoint { return endpoint{Host: host} }
	for _, test := range []struct {
		name  string
		flags endpointFlags
		env   map[string]string
		want  endpoint
	}{
		{"current context", endpointFlags{}, nil, plain("unix:///current.sock")},
		{"DOCKER_CONTEXT over the current one", endpointFlags{}, map[string]string{"DOCKER_CONTEXT": "other"}, plain("ssh://root@web01")},
		{
			"DOCKER_HOST over DOCKER_CONTEXT",
			endpointFlags{},
			map[string]string{"DOCKER_CONTEXT": "other", "DOCKER_HOST": "unix:///env.sock"},
			plain("unix:///env.sock"),
		},
		{"--host over all", endpointFlags{Host: "unix:///flag.sock", HostSet: true}, map[string]string{"DOCKER_HOST": "unix:///env.sock"}, plain("unix:///flag.sock")},
		{"--context over DOCKER_HOST", endpointFlags{Context: "other", ContextSet: true}, map[string]string{"DOCKER_HOST": "unix:///env.sock"}, plain("ssh://root@web01")},
		{"default context takes DOCKER_HOST", endpointFlags{Context: "default", ContextSet: true}, map[string]string{"DOCKER_HOST": "unix:///env.sock"}, plain("unix:///env.sock")},
		{"default context", endpointFlags{Context: "default", ContextSet: true}, nil, plain("unix:///var/run/docker.sock")},
		{
			"TLS of a context",
			endpointFlags{Context: "secure", ContextSet: true},
			nil,
			endpoint{Host: "tcp://web01:2376", TLS: true, CA: tlsDir + "/ca.pem", Cert: tlsDir + "/cert.pem", Key: tlsDir + "/key.pem"},
		},
		{
			"TLS of the environment",
			endpointFlags{},
			map[string]string{"DOCKER_HOST": "tcp://web01", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": certs},
			endpoint{Host: "tcp://web01:2376", TLS: true, CA: certs + "/ca.pem", Cert: certs + "/cert.pem", Key: certs + "/key.pem"},
		},
		{
			"--tls does not verify",
			endpointFlags{Host: "web01", HostSet: true, TLS: true, TLSCACert: "/ca"},
			nil,
			endpoint{Host: "tcp://web01:2376", TLS: true, SkipVerify: true, CA: "/ca"},
		},
		{"port is added", endpointFlags{Host: "tcp://web01", HostSet: true}, nil, plain("tcp://web01:2375")},
		{"only a port", endpointFlags{Host: ":4000", HostSet: true}, nil, plain("tcp://127.0.0.1:4000")},
		{"IPv6", endpointFlags{Host: "tcp://[::1]", HostSet: true}, nil, plain("tcp://[::1]:2375")},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := func(name string) string {
				if name == "DOCKER_CONFIG" {
					return config
				}
				return test.env[name]
			}
			got, err := test.flags.resolve(env)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestEndpointErrors(t *testing.T) {
	config := t.TempDir()
	writeContext(t, config, "broken", `{`)
	writeContext(t, config, "kube", `{"Name":"kube","Endpoints":{"kubernetes":{"Host":"x"}}}`)
	bad := t.TempDir()
	write(t, filepath.Join(bad, "config.json"), "{")
	for _, test := range []struct {
		name  string
		flags endpointFlags
		want  string
	}{
		{"unknown context", endpointFlags{Config: config, Context: "web", ContextSet: true}, `cannot find Docker context "web"`},
		{"broken context", endpointFlags{Config: config, Context: "broken", ContextSet: true}, `cannot read Docker context "broken"`},
		{"no docker endpoint", endpointFlags{Config: config, Context: "kube", ContextSet: true}, `no docker endpoint`},
		{"broken config.json", endpointFlags{Config: bad}, "config.json"},
		{"both", endpointFlags{Host: "x", HostSet: true, Context: "y", ContextSet: true}, "contradict"},
		{"unknown scheme", endpointFlags{Host: "gopher://x", HostSet: true}, "ssh://USER@HOST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.flags.resolve(func(string) string { return "" })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestDial(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	write(t, empty, "")
	for _, test := range []struct {
		name string
		e    endpoint
		want string // of the error; empty: none
	}{
		{"unix", endpoint{Host: "unix:///x.sock"}, ""},
		{"ssh", endpoint{Host: "ssh://root@web01"}, ""},
		{"tls", endpoint{Host: "tcp://web01:2376", TLS: true, SkipVerify: true}, ""},
		{"missing CA", endpoint{Host: "tcp://web01:2376", TLS: true, CA: "/nowhere"}, "CA certificate"},
		{"empty CA", endpoint{Host: "tcp://web01:2376", TLS: true, CA: empty}, "holds none"},
		{"certificate without key", endpoint{Host: "tcp://web01:2376", TLS: true, Cert: empty}, "without its key"},
		{"bad pair", endpoint{Host: "tcp://web01:2376", TLS: true, Cert: empty, Key: empty}, "client certificate"},
		{"bad ssh", endpoint{Host: "ssh://root:secret@web01"}, "cannot use"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := test.e.dial()
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				_ = c.Close()
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("error %v, want one with %q", err, test.want)
			case strings.Contains(err.Error(), "secret"):
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}
