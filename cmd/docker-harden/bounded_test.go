package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// badEngine answers like an engine, but for one path in its own way.
func badEngine(t *testing.T, path string, answer http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("a", 64)
	good := map[string]string{
		"/version":         `{"Version":"20.10.24","ApiVersion":"1.41","Os":"linux"}`,
		"/info":            `{"ID":"e","Name":"h","OSType":"linux","ServerVersion":"20.10.24"}`,
		"/containers/json": `[{"Id":"` + id + `","Names":["/web"],"Image":"i","ImageID":"sha256:i","State":"running"}]`,
		"/containers/" + id + "/json": `{"Id":"` + id + `","Name":"/web","Image":"sha256:i","State":{"Status":"running","Running":true,"Pid":1},` +
			`"Config":{"Image":"i"},"HostConfig":{"NetworkMode":"default"},"NetworkSettings":{"Networks":{}}}`,
		"/images/sha256:i/json": `{"Id":"sha256:i","Config":{}}`,
		"/networks":             `[{"Name":"bridge","Driver":"bridge","Options":{}}]`,
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Path
		if strings.HasPrefix(asked, "/v1.") {
			asked = asked[strings.Index(asked[1:], "/")+1:]
		}
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		if path != "" && strings.Contains(asked, path) {
			answer(w, r)
			return
		}
		text, ok := good[asked]
		if !ok && asked != "/_ping" {
			http.Error(w, `{"message":"no such thing"}`, http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, text)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "unix://" + socket
}

// badAnswers are what a broken or malicious engine may send.
func badAnswers() map[string]http.HandlerFunc {
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	return map[string]http.HandlerFunc{
		"nothing":         text(200, ""),
		"null":            text(200, "null"),
		"a list":          text(200, `[[[]]]`),
		"a number":        text(200, "7"),
		"a page":          text(200, "<html>\x1b[2J</html>"),
		"wrong types":     text(200, `{"Id":7,"Name":{},"State":"x","HostConfig":[],"Config":7,"Containers":"many","Options":[],"NetworkSettings":[]}`),
		"cut":             text(200, `{"Id":"`),
		"escape sequence": text(500, `{"message":"boom\u001b[2J\u009b31m\u202e"}`),
		"raw escape":      text(500, "boom\x1b[2J\xc2\x9b31m"),
		"deep":            text(200, strings.Repeat(`{"a":`, 200000)),
		"fewer bytes than said": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"Id":`)
		},
		"broken off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hostile names": text(200, `{"Id":"`+strings.Repeat("a", 64)+`","Name":"/../x\u001b[2J\u202e","ServerVersion":"\u001b[2J","Version":"\u009b2J",`+
			`"Config":{"Labels":{"\u001b[2J":"\u202e"},"Env":["\u001b[2J"],"Image":"\u001b[2J"},"HostConfig":{},"State":{}}`),
	}
}

// Whatever an engine answers: no crash, no raw escape sequence, an error in words or a plan that says what could
// not be read.
func TestBadEngine(t *testing.T) {
	for _, path := range []string{"/_ping", "/version", "/info", "/containers/json", "/containers/a", "/images/", "/networks"} {
		for name, answer := range badAnswers() {
			t.Run(path+" "+name, func(t *testing.T) {
				address := badEngine(t, path, answer)
				for _, args := range [][]string{
					{"plan", "--verbose"}, {"check", "--format", "json"}, {"check", "--format", "sarif"}, {"check", "--format", "markdown"},
				} {
					code, stdout, stderr := runApp(t, append(args, "-H", address)...)
					if code != exitOK && code != exitError && code != exitFindings {
						t.Errorf("exit %d: %s", code, stderr)
					}
					if code == exitError && !strings.HasPrefix(stderr, program+": cannot ") {
						t.Errorf("said %q", stderr)
					}
					noRaw(t, stdout+stderr)
				}
			})
		}
	}
}

// noRaw fails the test when text would do something on a terminal.
func noRaw(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for _, r := range strings.TrimSuffix(line, "\n") {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Errorf("%U is printed raw in %q", r, line)
				return
			}
		}
	}
}

// An endless answer ends, and not only when the memory does.
func TestEndlessAnswer(t *testing.T) {
	address := badEngine(t, "/info", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"ID":"`)
		block := bytes.Repeat([]byte("x"), 1<<20)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	code, _, stderr := runApp(t, "plan", "-H", address)
	if want := fmt.Sprintf("more than %d MiB", maxAnswer>>20); code != exitError || !strings.Contains(stderr, want) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
