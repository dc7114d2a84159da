package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// maxFile bounds a baseline; an entry takes about 80 bytes.
const maxFile = 64 << 20

// Read reads a baseline file. Errors name the file, and the line where there is one to blame.
func Read(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return File{}, fmt.Errorf("cannot read baseline: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	if err != nil {
		return File{}, fmt.Errorf("cannot read baseline %s: %w", name, err)
	}
	file, err := Decode(data)
	var at *lineError
	if errors.As(err, &at) {
		return File{}, fmt.Errorf("cannot read baseline %s:%d: %w", name, at.line, at.err)
	}
	if err != nil {
		return File{}, fmt.Errorf("cannot read baseline %s: %w", name, err)
	}
	return file, nil
}

// lineError is what is wrong in one line.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// Decode reads a baseline of exactly this version: what it does not understand could let a failure through.
func Decode(data []byte) (File, error) {
	d := &decoder{data: data, Decoder: json.NewDecoder(bytes.NewReader(data)), seen: make(map[Entry]int)}
	if err := d.checkFormat(); err != nil {
		return File{}, err
	}
	f, err := d.file()
	if err != nil {
		return File{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return File{}, d.here(errors.New("something follows the baseline"))
	}
	return f, nil
}

// decoder walks a document token by token: so it knows the lines, and sees what is there twice.
type decoder struct {
	*json.Decoder
	data []byte
	seen map[Entry]int // the line of each entry
}

// checkFormat comes first: whatever else is in a file of another format is nobody's mistake.
func (d *decoder) checkFormat() error {
	if len(bytes.TrimSpace(d.data)) == 0 {
		return errors.New("it is empty; make it anew with --write-baseline")
	}
	var head struct {
		Format string `json:"format"`
	}
	var syntax *json.SyntaxError
	err := json.Unmarshal(d.data, &head)
	if errors.As(err, &syntax) {
		return &lineError{d.line(syntax.Offset), fmt.Errorf("it is damaged: %w", err)}
	}
	switch {
	case err != nil || !strings.HasPrefix(head.Format, "docker-harden/baseline/"):
		return errors.New("it is not a baseline; make one with check --baseline FILE --write-baseline")
	case head.Format != Format:
		return fmt.Errorf("its format is %q, this version reads %q; use the version of docker-harden that wrote it", head.Format, Format)
	}
	return nil
}

func (d *decoder) line(offset int64) int {
	return 1 + bytes.Count(d.data[:min(max(offset, 0), int64(len(d.data)))], []byte("\n"))
}

// here blames the line that was read last.
func (d *decoder) here(err error) error { return &lineError{d.line(d.InputOffset()), err} }

func (d *decoder) file() (File, error) {
	var f File
	err := d.object("the baseline", map[string]func() error{
		"format":   func() error { return d.text("format", &f.Format) },
		"made_by":  func() error { return d.text("made_by", &f.MadeBy) },
		"made":     func() error { return d.time(&f.Made) },
		"failures": func() error { return d.failures(&f) },
	})
	return f, err
}

// object reads an object that has each of its keys once, and no other.
func (d *decoder) object(what string, keys map[string]func() error) error {
	if err := d.open('{', what+" is no object"); err != nil {
		return err
	}
	have := make(map[string]bool)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return d.here(err)
		}
		key, _ := token.(string) // More and the syntax check leave nothing else
		read := keys[key]
		switch {
		case read == nil:
			return d.here(fmt.Errorf("%s has an unknown key %q", what, key))
		case have[key]:
			return d.here(fmt.Errorf("%s has the key %q twice", what, key))
		}
		have[key] = true
		if err := read(); err != nil {
			return err
		}
	}
	if key := missing(keys, have); key != "" {
		return d.here(fmt.Errorf("%s has no %q", what, key))
	}
	_, err := d.Token()
	return err
}

// missing is the first of the keys that are not there, by their alphabet: the same error each time.
func missing(keys map[string]func() error, have map[string]bool) string {
	first := ""
	for key := range keys {
		if !have[key] && (first == "" || key < first) {
			first = key
		}
	}
	return first
}

func (d *decoder) open(want json.Delim, otherwise string) error {
	token, err := d.Token()
	if err != nil {
		return d.here(err)
	}
	if token != want {
		return d.here(errors.New(otherwise))
	}
	return nil
}

func (d *decoder) text(key string, to *string) error {
	token, err := d.Token()
	if err != nil {
		return d.here(err)
	}
	text, ok := token.(string)
	if !ok || text == "" {
		return d.here(fmt.Errorf("%q is no text", key))
	}
	*to = text
	return nil
}

func (d *decoder) time(to *time.Time) error {
	var text string
	if err := d.text("made", &text); err != nil {
		return err
	}
	made, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return d.here(fmt.Errorf("\"made\" is %q, which is no time like 2006-01-02T15:04:05Z", text))
	}
	*to = made
	return nil
}

func (d *decoder) failures(f *File) error {
	if err := d.open('[', "\"failures\" is no list"); err != nil {
		return err
	}
	f.Failures = []Entry{}
	for d.More() {
		var e Entry
		err := d.object("a failure", map[string]func() error{
			"control": func() error { return d.text("control", &e.Control) },
			"target":  func() error { return d.text("target", &e.Target) },
		})
		if err != nil {
			return err
		}
		if first, twice := d.seen[e]; twice {
			return d.here(fmt.Errorf("%q on %q is there twice, first in line %d", e.Control, e.Target, first))
		}
		d.seen[e] = d.line(d.InputOffset())
		f.Failures = append(f.Failures, e)
	}
	_, err := d.Token()
	return err
}
