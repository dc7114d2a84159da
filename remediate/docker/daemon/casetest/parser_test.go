package casetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	testhost "docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate/docker/daemon"
	"docker-harden/remediate/docker/daemon/edit"
)

// utf16le is a text as some editors save it.
func utf16le(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}

// TestFilesThatAreEdited: the engine runs with the file; a key is added or changed, made effective, and the
// file comes back byte for byte.
func TestFilesThatAreEdited(t *testing.T) {
	tests := []struct {
		id, name string
		doc      string
		absent   bool
		after    string
		from     string // of live-restore; "" is null
	}{
		{id: "1", name: "no daemon.json", absent: true, after: "{\n  \"live-restore\": true\n}\n"},
		{id: "5", name: "an empty object", doc: "{}", after: "{\n  \"live-restore\": true\n}"},
		{id: "19", name: "an unknown key with an empty object", doc: `{"foo":{}}`, after: `{"foo":{},"live-restore":true}`},
		{id: "20", name: "a setting inside of an unknown key", doc: `{"foo":{"log-level":"warn"}}`, after: `{"foo":{"log-level":"warn"},"live-restore":true}`},
		{id: "21", name: "names of flags as keys", doc: `{"insecure-registry":["a:5000"],"authorization-plugin":["opa"]}`, after: `{"insecure-registry":["a:5000"],"authorization-plugin":["opa"],"live-restore":true}`},
		{id: "24", name: "null values", doc: `{"live-restore": null, "debug": null}`, after: `{"live-restore": true, "debug": null}`},
		{id: "27", name: "CRLF", doc: "{\r\n\t\"debug\": false\r\n}\r\n", after: "{\r\n\t\"debug\": false,\r\n\t\"live-restore\": true\r\n}\r\n"},
		{id: "27", name: "tabs", doc: "{\n\t\"debug\":\tfalse\n}\n", after: "{\n\t\"debug\":\tfalse,\n\t\"live-restore\":\ttrue\n}\n"},
		{id: "27", name: "one line, no final newline", doc: `{ "debug": false }`, after: `{ "debug": false, "live-restore": true }`},
		{id: "28", name: "odd characters in names", doc: `{"runtimes":{"a.b":{"path":"runc"},"c:d@e":{"path":"runc"},"f#|*?\\":{"path":"runc"}}}`, after: `{"runtimes":{"a.b":{"path":"runc"},"c:d@e":{"path":"runc"},"f#|*?\\":{"path":"runc"}},"live-restore":true}`},
		{id: "29", name: "numbers as names", doc: `{"runtimes":{"1":{"path":"runc"}},"live-restore":false}`, after: `{"runtimes":{"1":{"path":"runc"}},"live-restore":true}`, from: "false"},
	}
	outer := newRig(t)
	for _, tt := range tests {
		outer.sub(tt.name, func(r *rig) {
			r.record(tt.id, tt.name, "the smallest edit, in the file's own manner; in effect", "byte for byte, the engine's old values")
			doc := []byte(tt.doc)
			if tt.absent {
				doc = nil
			}
			r.restart(doc)
			defer r.restart([]byte("{}\n"))
			if tt.from == "" {
				tt.from = "null"
			}
			problems := fmt.Sprint(r.observe().Problems)
			if ignored := tt.id == "19" || tt.id == "20" || tt.id == "21"; ignored != strings.Contains(problems, "and ignores it") {
				r.Errorf("the plan says %s", problems)
			}
			before, change := r.state(), set("live-restore", tt.from, "true")
			s := r.prepare(stepOf(plan.KindReload, change))
			r.must(r.do(s))
			if now, err := os.ReadFile(testhost.DaemonJSON); err != nil || string(now) != tt.after {
				r.Errorf("after Do the file is %q, %v; want %q", now, err, tt.after)
			}
			if again, err := edit.Apply([]byte(tt.after), []plan.Change{set("live-restore", "true", "true")}); err != nil || string(again) != tt.after {
				r.Errorf("the same edit once more gives %q, %v", again, err)
			}
			r.back(s)
			r.expect(before)
		})
	}
}

// TestFilesThatAreRefused: what would be a guess to edit is left alone, whether this engine takes it or not.
func TestFilesThatAreRefused(t *testing.T) {
	deep := `{"labels":` + strings.Repeat("[", edit.MaxDepth+1) + strings.Repeat("]", edit.MaxDepth+1) + `}`
	tests := []struct {
		id, name string
		doc      []byte
		starts   bool   // this engine starts with it
		want     string // in the refusal
		engine   string // what this engine says of it, where the file passes our own gate
	}{
		{id: "3", name: "an empty file", doc: []byte{}, want: "changed after the engine last read it", engine: "EOF"},
		{id: "4", name: "white space", doc: []byte(" \n\t\n"), want: "changed after the engine last read it", engine: "EOF"},
		{id: "6", name: "null", doc: []byte("null\n"), starts: true, want: "not a JSON object"},
		{id: "7", name: "an array", doc: []byte("[]"), want: "not a JSON object"},
		{id: "8", name: "a byte order mark", doc: []byte("\xef\xbb\xbf{}"), want: "byte order mark"},
		{id: "9", name: "UTF-16", doc: utf16le(`{"debug":true}`), want: "not UTF-8"},
		{id: "10", name: "a key twice", doc: []byte(`{"debug":true,"debug":false}`), starts: true, want: "debug"},
		{id: "11", name: "a key twice, inside of another", doc: []byte(`{"log-opts":{"max-file":"2","max-file":"3"}}`), starts: true, want: "max-file"},
		{id: "12", name: "a key twice, once with an escape", doc: []byte(`{"debug":true,"\u0064ebug":false}`), starts: true, want: "debug"},
		{id: "13", name: "comments", doc: []byte("{\n  // no\n  \"debug\": true\n}\n"), want: "line 2"},
		{id: "13", name: "comments with #", doc: []byte("{\n  # no\n  \"debug\": true\n}\n"), want: "line 2"},
		{id: "14", name: "a comma too many", doc: []byte("{\"debug\": true,\n}\n"), want: "line 2"},
		{id: "15", name: "text behind the object", doc: []byte("{\"debug\": false} x"), starts: true, want: "line 1"},
		{id: "16", name: "two objects", doc: []byte("{\"debug\": false}\n{\"debug\": true}"), starts: true, want: "line 2"},
		{id: "17", name: "an unknown key", doc: []byte(`{"no-such-key":1}`), want: "changed after the engine last read it", engine: "no-such-key"},
		{id: "18", name: "a key in the wrong case", doc: []byte(`{"Log-Level":"info"}`), want: "changed after the engine last read it", engine: "Log-Level"},
		{id: "22", name: "a word for a boolean", doc: []byte(`{"icc":"false"}`), want: "changed after the engine last read it", engine: "of type bool"},
		{id: "23", name: "a number in log-opts", doc: []byte(`{"log-opts":{"max-file":3}}`), want: "changed after the engine last read it", engine: "of type string"},
		{id: "25", name: "a byte that is not UTF-8", doc: []byte("{\"labels\":[\"a=\xff\"]}"), starts: true, want: "not UTF-8"},
		{id: "26", name: "nesting without end", doc: []byte(deep), want: "levels"},
		{id: "26", name: "more than a megabyte", doc: append([]byte(`{"debug":true}`), bytes.Repeat([]byte(" "), edit.MaxSize)...), want: ""},
	}
	outer := newRig(t)
	step := stepOf(plan.KindReload, set("live-restore", "null", "true"))
	for _, tt := range tests {
		outer.sub(tt.name, func(r *rig) {
			what := tt.name
			if tt.starts {
				what += "; this engine starts with it"
				r.restart(tt.doc)
			} else {
				if tt.engine == "" {
					tt.engine = "-"
				}
				r.waitForAnEdit()
				r.write(tt.doc)
			}
			r.record(tt.id, what, "refused with the place or the engine's words, nothing changed", "")
			defer func() {
				r.write([]byte("{}\n"))
				if tt.starts {
					r.host.Restart(r.T)
				}
			}()
			r.refuses(step, tt.want)
			if tt.engine != "" && tt.engine != "-" {
				var rejected *daemon.RejectedError
				err := daemon.ValidateChange(r.Context(), r.handler().Daemon.Exe, nil, tt.doc, []byte("{}"))
				if !errors.As(err, &rejected) || !rejected.Present || !strings.Contains(err.Error(), tt.engine) {
					r.Errorf("the engine says %v, want %q", err, tt.engine)
				}
			}
		})
	}
}

// waitForAnEdit waits until a change of the file is told from the file that the engine read at its start.
func (r *rig) waitForAnEdit() {
	r.Helper()
	const told = 3 * time.Second
	started := r.observe().Daemon.Started
	time.Sleep(time.Until(started.Add(told)))
}
