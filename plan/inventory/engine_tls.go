package inventory

import (
	"encoding/json"
	"os"
	"path"
	"slices"
)

// TLSFiles are the paths of files of TLS; empty ones are not named.
type TLSFiles struct{ CA, Cert, Key string }

// tlsFiles are the settings that name the files of TLS, and how the files are called where none is named.
var tlsFiles = []struct {
	role         FileRole
	key, usually string
}{{RoleTLSCA, "tlscacert", "ca.pem"}, {RoleTLSCert, "tlscert", "cert.pem"}, {RoleTLSKey, "tlskey", "key.pem"}}

// tls looks at the files with which the engine proves who it is, as its next start finds them.
func (f *fileFinder) tls() {
	if f.daemon.Keys == nil && f.daemon.Config.Exists {
		for _, t := range tlsFiles {
			f.unknown(t.role, "", "daemon.json could not be read, which may name it: "+f.daemon.ParseError)
		}
		return
	}
	on := f.setting("tls") == "true" || f.setting("tlsverify") == "true"
	for _, t := range tlsFiles {
		name := f.setting(t.key)
		switch {
		case name != "":
			f.one(t.role, f.absolute(name))
		case !on:
			f.none(t.role, "TLS is not configured")
		default:
			f.one(t.role, path.Join(f.tlsDir(), t.usually))
		}
	}
	n := len(f.found)
	f.root.credentials(&f.found[n-3], &f.found[n-2], &f.found[n-1])
}

// setting is a flag or key of the engine's next start, as text; empty when it is not set.
func (f *fileFinder) setting(key string) string {
	if values := f.daemon.Flags[key]; len(values) > 0 {
		return values[len(values)-1]
	}
	var text string
	if json.Unmarshal(f.daemon.Keys[key], &text) == nil {
		return text
	}
	return string(f.daemon.Keys[key])
}

// tlsDir is where the engine looks for files of TLS that are not named.
func (f *fileFinder) tlsDir() string {
	env := func(name string) string { return f.root.environ(f.daemon.PID, name) }
	switch {
	case env("DOCKER_CERT_PATH") != "":
		return f.absolute(env("DOCKER_CERT_PATH"))
	case env("DOCKER_CONFIG") != "":
		return f.absolute(env("DOCKER_CONFIG"))
	}
	return path.Join("/", first(env("HOME"), "/root"), ".docker")
}

// absolute is a path as the engine takes it: relative ones begin where it runs.
func (f *fileFinder) absolute(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	cwd, err := os.Readlink(f.root.proc(f.daemon.PID, "cwd"))
	if err != nil {
		cwd = "/"
	}
	return path.Join(cwd, name)
}

// givenTLS looks at the files of TLS as they would be if the engine was given some others. found are the engine's
// files as they are, and files what was seen of them, to which it adds.
func (r hostRoot) givenTLS(given TLSFiles, found []EngineFile, files map[string]File) []EngineFile {
	if given == (TLSFiles{}) {
		return nil
	}
	f := &fileFinder{root: r, files: files}
	for i, name := range []string{given.CA, given.Cert, given.Key} {
		role := tlsFiles[i].role
		at := slices.IndexFunc(found, func(have EngineFile) bool { return have.Role == role })
		switch {
		case name == "" && at >= 0:
			same := found[at]
			same.TLS = nil // what vouches for what is judged anew
			f.found = append(f.found, same)
		case name == "":
			f.none(role, "it was not looked for")
		case !path.IsAbs(name):
			f.unknown(role, name, "it is no absolute path")
		default:
			f.one(role, path.Clean(name))
		}
	}
	r.credentials(&f.found[0], &f.found[1], &f.found[2])
	return f.found
}
