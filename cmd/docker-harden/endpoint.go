package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/client"
)

// endpoint is where an engine listens and how to prove who is who.
type endpoint struct {
	Host       string
	TLS        bool
	SkipVerify bool
	CA         string // file names; empty: not used
	Cert       string
	Key        string
}

// endpointFlags are what the command line says of the endpoint.
type endpointFlags struct {
	Host, Context, Config             string
	TLS, TLSVerify                    bool
	TLSCACert, TLSCert, TLSKey        string
	TLSVerifySet, ContextSet, HostSet bool
}

// resolve finds the endpoint as the docker CLI does: --context, then --host or DOCKER_HOST, then
// DOCKER_CONTEXT, then the current context of config.json.
func (f endpointFlags) resolve(getenv func(string) string) (endpoint, error) {
	if f.ContextSet && f.HostSet {
		return endpoint{}, usagef("--host and --context contradict each other: give one")
	}
	config := f.configDir(getenv)
	name, err := f.contextName(config, getenv)
	if err != nil {
		return endpoint{}, err
	}
	if name != "default" {
		return contextEndpoint(config, name)
	}
	e := endpoint{Host: f.Host}
	if !f.HostSet {
		e.Host = getenv("DOCKER_HOST")
	}
	f.tls(&e, config, getenv)
	e.Host, err = hostURL(e.Host, e.TLS)
	return e, err
}

func (f endpointFlags) configDir(getenv func(string) string) string {
	switch {
	case f.Config != "":
		return f.Config
	case getenv("DOCKER_CONFIG") != "":
		return getenv("DOCKER_CONFIG")
	}
	return filepath.Join(getenv("HOME"), ".docker")
}

func (f endpointFlags) contextName(config string, getenv func(string) string) (string, error) {
	switch {
	case f.ContextSet:
		return f.Context, nil
	case f.HostSet, getenv("DOCKER_HOST") != "":
		return "default", nil
	case getenv("DOCKER_CONTEXT") != "":
		return getenv("DOCKER_CONTEXT"), nil
	}
	name := filepath.Join(config, "config.json")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) { // docker goes on, too
		return "default", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the Docker client's configuration: %w", err)
	}
	var file struct {
		CurrentContext string `json:"currentContext"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return "", fmt.Errorf("cannot read %s: %w", name, err)
	}
	if file.CurrentContext == "" {
		return "default", nil
	}
	return file.CurrentContext, nil
}

// tls fills in what flags and environment say of TLS. The default files are used where they exist;
// a file that was named must.
func (f endpointFlags) tls(e *endpoint, config string, getenv func(string) string) {
	verify := getenv("DOCKER_TLS_VERIFY") != ""
	if f.TLSVerifySet {
		verify = f.TLSVerify
	}
	e.TLS = f.TLS || verify || getenv("DOCKER_TLS") != "" || f.TLSCACert != "" || f.TLSCert != "" || f.TLSKey != ""
	if !e.TLS {
		return
	}
	e.SkipVerify = !verify
	dir := getenv("DOCKER_CERT_PATH")
	if dir == "" {
		dir = config
	}
	pick := func(given, name string) string {
		path := filepath.Join(dir, name)
		if given != "" {
			return given
		}
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path
	}
	e.CA, e.Cert, e.Key = pick(f.TLSCACert, "ca.pem"), pick(f.TLSCert, "cert.pem"), pick(f.TLSKey, "key.pem")
}

// contextEndpoint reads a context from the docker CLI's store.
func contextEndpoint(config, name string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	file := filepath.Join(config, "contexts", "meta", id, "meta.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{}, fmt.Errorf("cannot find Docker context %q: docker context ls shows all", name)
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("cannot read Docker context %q: %w", name, err)
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return endpoint{}, fmt.Errorf("cannot read Docker context %q: %s: %w", name, file, err)
	}
	docker, ok := meta.Endpoints["docker"]
	if !ok {
		return endpoint{}, fmt.Errorf("cannot use Docker context %q: it has no docker endpoint", name)
	}
	e := endpoint{SkipVerify: docker.SkipTLSVerify}
	dir := filepath.Join(config, "contexts", "tls", id, "docker")
	for file, into := range map[string]*string{"ca.pem": &e.CA, "cert.pem": &e.Cert, "key.pem": &e.Key} {
		if path := filepath.Join(dir, file); exists(path) {
			*into, e.TLS = path, true
		}
	}
	e.TLS = e.TLS || docker.SkipTLSVerify
	e.Host, err = hostURL(docker.Host, e.TLS)
	return e, err
}

// contextNames lists the contexts of the docker CLI's store; what cannot be read is left out.
func contextNames(config string) []string {
	files, err := filepath.Glob(filepath.Join(config, "contexts", "meta", "*", "meta.json"))
	if err != nil {
		return nil
	}
	var names []string
	for _, file := range files {
		var meta struct{ Name string }
		data, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(data, &meta) == nil && meta.Name != "" {
			names = append(names, meta.Name)
		}
	}
	slices.Sort(names)
	return names
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// hostURL completes what people write for --host: "", ":2375", "web01", "tcp://web01".
func hostURL(host string, tls bool) (string, error) {
	host = strings.TrimSpace(host)
	if host == "" {
		return client.DefaultDockerHost, nil
	}
	proto, addr, found := strings.Cut(host, "://")
	if !found {
		proto, addr = "tcp", host
	}
	switch proto {
	case "unix":
		if addr == "" {
			return client.DefaultDockerHost, nil
		}
		return "unix://" + addr, nil
	case "ssh", "http", "https", "fd":
		if proto == "fd" {
			break
		}
		return host, nil
	case "tcp":
		return "tcp://" + tcpAddress(addr, tls), nil
	}
	return "", usagef("cannot use %q as a host: write unix://PATH, tcp://HOST:PORT or ssh://USER@HOST", host)
}

func tcpAddress(addr string, tls bool) string {
	addr, path, _ := strings.Cut(addr, "/")
	name, port := addr, ""
	if i := strings.LastIndexByte(addr, ':'); i >= 0 && !strings.HasSuffix(addr, "]") {
		name, port = addr[:i], addr[i+1:]
	}
	if name == "" {
		name = "127.0.0.1"
	}
	if port == "" {
		port = "2375"
		if tls {
			port = "2376"
		}
	}
	if path != "" {
		path = "/" + path
	}
	return name + ":" + port + path
}
