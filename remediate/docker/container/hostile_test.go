package container

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/plan"
)

// oddEngine is an engine that is not there: every connection gets the answer that is made for its request.
type oddEngine struct {
	respond func(*http.Request) (status int, header, body string)
}

func (e oddEngine) Dialer() func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go e.serve(theirs)
		return ours, nil
	}
}

func (e oddEngine) serve(conn net.Conn) {
	defer conn.Close()
	var head bytes.Buffer
	one := make([]byte, 4096)
	for !bytes.Contains(head.Bytes(), []byte("\r\n\r\n")) {
		n, err := conn.Read(one)
		if err != nil {
			return
		}
		head.Write(one[:n])
	}
	words := strings.Fields(head.String())
	if len(words) < 2 {
		return
	}
	request, err := http.NewRequest(words[0], "http://engine"+words[1], nil)
	if err != nil {
		return
	}
	status, header, body := e.respond(request)
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nConnection: close\r\n%s\r\n", status, header)
	_, _ = io.WriteString(conn, body)
}

const victim = `{"Id":"%[1]s","Name":"/web","Image":"sha256:i","State":{"Status":"created"},"Config":{"Image":"i","Labels":{}},` +
	`"HostConfig":{"NetworkMode":"none","RestartPolicy":{"Name":"no","MaximumRetryCount":0},"SecurityOpt":null},"GraphDriver":{"Name":"vfs"},` +
	`"Mounts":[],"NetworkSettings":{"Networks":{}}}`

var victimID = strings.Repeat("a", 64)

// except answers as an engine does, but for the paths that contain this.
func except(path, header, body string, status int) oddEngine {
	return oddEngine{func(r *http.Request) (int, string, string) {
		_, asked, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
		if path != "" && strings.Contains("/"+asked, path) {
			return status, header, body
		}
		switch {
		case r.URL.Path == "/_ping":
			return 200, "", "OK"
		case strings.HasSuffix(asked, "containers/web/json"):
			return 200, "", fmt.Sprintf(victim, victimID)
		case strings.HasPrefix(asked, "images/"):
			return 200, "", `{"Id":"sha256:i","Config":{}}`
		case asked == "info":
			return 200, "", `{"Name":"h","MemTotal":1000000000,"OSType":"linux","CgroupVersion":"1"}`
		case asked == "networks", asked == "containers/json":
			return 200, "", `[]`
		case strings.HasSuffix(asked, "/changes"):
			return 200, "", `null`
		}
		return 404, "", `{"message":"no such thing"}`
	}}
}

func hostileStep() plan.Step {
	r := plan.Container("web", victimID)
	return plan.Step{
		ID: r.String(), Resource: r, Kind: plan.KindRecreate,
		Changes: []plan.Change{change("SecurityOpt", "null", `["no-new-privileges:true"]`)},
	}
}

// A broken or malicious engine: Prepare ends with an error in plain words, or with a record that can be read.
func TestPrepareOnABadEngine(t *testing.T) {
	bad := map[string]struct {
		status       int
		header, body string
	}{
		"nothing":         {200, "", ""},
		"null":            {200, "", "null"},
		"a list":          {200, "", "[[],[7]]"},
		"a number":        {200, "", "7"},
		"wrong types":     {200, "", `{"Id":7,"Name":[],"State":"x","HostConfig":7,"Config":[],"Mounts":{},"NetworkSettings":[],"Runtimes":[]}`},
		"cut":             {200, "Content-Length: 1000\r\n", `{"Id":`},
		"a page":          {200, "", "<html>\x1b[2J"},
		"escape sequence": {500, "", `{"message":"boom\u001b[2J\u009b31m\u202e` + strings.Repeat("x", 5000) + `"}`},
		"deep":            {200, "", strings.Repeat(`{"a":`, 100000)},
		"hostile name":    {200, "", fmt.Sprintf(strings.Replace(victim, `"/web"`, `"/web\u001b[2J"`, 1), victimID)},
		"another id":      {200, "", fmt.Sprintf(victim, "../images/prune?")},
		"broken header":   {200, "Content-Length: -7\r\n", "{}"},
	}
	for _, path := range []string{"/containers/web/json", "/images/", "/info", "/networks", "/containers/json", "/changes"} {
		for name, b := range bad {
			t.Run(path+" "+name, func(t *testing.T) {
				e := except(path, b.header, b.body, b.status)
				for _, prepare := range []func() (json.RawMessage, error){
					func() (json.RawMessage, error) {
						return (&Recreator{Engine: e, Options: fast()}).Prepare(t.Context(), hostileStep())
					},
					func() (json.RawMessage, error) {
						return (&Updater{Engine: e, Options: fast()}).Prepare(t.Context(), hostileStep())
					},
				} {
					undo, err := prepare()
					if err == nil && !json.Valid(undo) {
						t.Errorf("the record is no JSON: %q", undo)
					}
					if err != nil && (strings.ContainsAny(err.Error(), "\x1b\u009b\u202e") || len(err.Error()) > 1000) {
						t.Errorf("said %q", err)
					}
				}
			})
		}
	}
}

// An answer that never ends is cut off.
func TestEndlessAnswerIsCutOff(t *testing.T) {
	if _, err := (&Recreator{Engine: except("/containers/web/json", "", `{"Id":"`+strings.Repeat("x", maxAnswer+1<<20), 200), Options: fast()}).
		Prepare(t.Context(), hostileStep()); err == nil || !strings.Contains(err.Error(), "cannot read the engine's answer") {
		t.Errorf("got %v", err)
	}
}

// FuzzPrepare gives the handlers any answer at any path.
func FuzzPrepare(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("body", "testdata", "20.10", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("/containers/web/json", string(raw), 200)
	}
	f.Add("/info", `{"Name":7}`, 200)
	f.Add("/images/", "\x00", 404)
	f.Add("/networks", `[{"Id":"x"}]`, 503)
	f.Fuzz(func(t *testing.T, path, answer string, status int) {
		if path == "" || status < 200 || status > 599 || strings.Contains(path, "_ping") {
			return
		}
		e := except(path, "", answer, status)
		for _, do := range []func() (json.RawMessage, error){
			func() (json.RawMessage, error) {
				return (&Recreator{Engine: e, Options: fast()}).Prepare(context.Background(), hostileStep())
			},
			func() (json.RawMessage, error) {
				return (&Updater{Engine: e, Options: fast()}).Prepare(context.Background(), hostileStep())
			},
		} {
			if undo, err := do(); err == nil && !json.Valid(undo) {
				t.Fatalf("the record is no JSON: %q", undo)
			}
		}
	})
}
