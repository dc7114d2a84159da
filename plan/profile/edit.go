package profile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrEmbedded is an attempt to edit a profile that is part of the program.
var ErrEmbedded = errors.New("it is built in and cannot be changed")

// Reasons for which an exception is not added or removed.
var (
	ErrNone      = errors.New("there is no such exception")
	ErrExists    = errors.New("such an exception is already here")
	ErrSeveral   = errors.New("there is more than one such exception")
	ErrInherited = errors.New("change it there")
)

// File is the text of one profile file. Its methods give an edited text and change nothing: what the
// edit does not mean stays byte for byte, and the result was loaded and found to be what was meant.
type File struct {
	Source  string // the file's name, as in [Load]
	Data    []byte
	Catalog Catalog
}

// Edit is what became of a file.
type Edit struct {
	Data []byte // the whole new text
	// Line is where the lines begin that were added (in the new text) or removed (in the old one).
	Line  int
	Lines []string // without their line ends
}

// OpenFile reads a profile file to edit it, by path or by name in [DefaultDir]. An embedded one is [ErrEmbedded].
func OpenFile(nameOrPath string, c Catalog) (File, error) { return openFile(nameOrPath, DefaultDir, c) }

func openFile(nameOrPath, dir string, c Catalog) (File, error) {
	if _, ok := Embedded(nameOrPath); ok {
		return File{}, fmt.Errorf("cannot edit profile %s: %w", nameOrPath, ErrEmbedded)
	}
	data, source, err := locate(nameOrPath, dir)
	if err != nil {
		return File{}, err
	}
	return File{Source: source, Data: data, Catalog: c}, nil
}

// Check says what is wrong with an exception that somebody wants to add. The control must be its whole id.
func (e Exception) Check(c Catalog) error {
	if _, ok := c[e.Control]; !ok {
		return fmt.Errorf("there is no control %q", e.Control)
	}
	if err := checkTarget(e.Target); err != nil {
		return err
	}
	switch kind, name, _ := strings.Cut(e.Target, "/"); {
	case kind == "host" && strings.ContainsAny(name, "*?["):
		return fmt.Errorf("target %q would match nothing: host/PATH names one file; globs are for containers", e.Target)
	case kind == "container" && strings.Contains(name, "/"):
		return fmt.Errorf("target %q would match nothing: a container name has no slash", e.Target)
	}
	for _, text := range []struct{ what, value string }{{"target", e.Target}, {"reason", e.Reason}, {"owner", e.Owner}} {
		switch {
		case strings.TrimSpace(text.value) == "":
			return fmt.Errorf("the %s is empty", text.what)
		case !utf8.ValidString(text.value):
			return fmt.Errorf("the %s is not UTF-8", text.what)
		case strings.ContainsFunc(text.value, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
			return fmt.Errorf("the %s must be one line without control characters", text.what)
		}
	}
	return nil
}

// Add writes one exception more, as the last of the file. One for the same control and target must not
// be there yet, in this file or, as long as that one holds, in a file it extends.
func (f File) Add(e Exception) (Edit, error) {
	old, l, err := f.prepare(&e)
	if err != nil {
		return Edit{}, err
	}
	for _, have := range old.Exceptions {
		switch {
		case have.Control != e.Control || have.Target != e.Target:
		case have.Source == f.Source:
			return Edit{}, fmt.Errorf("%s:%d: %w: %s on %s", f.Source, have.Line, ErrExists, e.Control, e.Target)
		case have.Expires.IsZero() || !e.Expires.IsZero() && !e.Expires.After(have.Expires):
			return Edit{}, fmt.Errorf("%s:%d: %s on %s is excepted here for as long, and %s extends this file",
				have.Source, have.Line, e.Control, e.Target, f.Source)
		}
	}
	edit, err := l.add(e.addition())
	if err != nil {
		return Edit{}, err
	}
	return f.prove(old, edit, append(slices.Clone(old.Exceptions), e))
}

// Replace gives the exception of the file for the same control and target another reason, owner and
// expiry. Comments in it and beside it stay.
func (f File) Replace(e Exception) (Edit, error) {
	old, l, err := f.prepare(&e)
	if err != nil {
		return Edit{}, err
	}
	at, err := f.find(old, e, 0)
	if err != nil {
		return Edit{}, err
	}
	edit, err := l.replace(at-f.inherited(old), old.Exceptions[at], e)
	if err != nil {
		return Edit{}, err
	}
	want := slices.Clone(old.Exceptions)
	want[at] = e
	return f.prove(old, edit, want)
}

// Remove takes the exception for a control and target out, with the comments that belong to it. line
// says which one, where there are several; otherwise it is 0.
func (f File) Remove(control, target string, line int) (Edit, error) {
	old, l, err := f.prepare(nil)
	if err != nil {
		return Edit{}, err
	}
	at, err := f.find(old, Exception{Control: control, Target: target}, line)
	if err != nil {
		return Edit{}, err
	}
	edit, err := l.remove(at - f.inherited(old))
	if err != nil {
		return Edit{}, err
	}
	return f.prove(old, edit, slices.Delete(slices.Clone(old.Exceptions), at, at+1))
}

// prepare loads the file as it is and finds its exceptions in the text. e, if any, is checked and made
// what it will be when it is read again.
func (f File) prepare(e *Exception) (*Profile, *layout, error) {
	if e != nil {
		e.Reason, e.Owner = strings.TrimSpace(e.Reason), strings.TrimSpace(e.Owner)
		if err := e.Check(f.Catalog); err != nil {
			return nil, nil, err
		}
		if !e.Expires.IsZero() {
			day, err := time.Parse(time.DateOnly, e.Expires.UTC().Format(time.DateOnly))
			if err != nil {
				return nil, nil, fmt.Errorf("the expiry is no date that can be written: %w", err)
			}
			e.Expires = day
		}
		e.Source = f.Source
	}
	old, err := Load(f.Data, f.Source, f.Catalog)
	if err != nil {
		return nil, nil, err
	}
	l, err := readLayout(f.Data, f.Source, "exceptions")
	if err != nil {
		return nil, nil, err
	}
	if have, own := len(l.items), len(old.Exceptions)-f.inherited(old); have != own {
		return nil, nil, fmt.Errorf("internal error: %s has %d exceptions, and %d were found in its text", f.Source, own, have)
	}
	return old, l, nil
}

// inherited is how many of the exceptions stand in files that this one extends: they come first.
func (f File) inherited(p *Profile) int {
	n := slices.IndexFunc(p.Exceptions, func(e Exception) bool { return e.Source == f.Source })
	if n < 0 {
		return len(p.Exceptions)
	}
	return n
}

// find gives the index of the one exception for a control and target that stands in the file itself.
func (f File) find(p *Profile, e Exception, line int) (int, error) {
	var own, other []string
	found := -1
	for i, have := range p.Exceptions {
		switch {
		case have.Control != e.Control || have.Target != e.Target:
			continue
		case have.Source != f.Source:
			other = append(other, fmt.Sprintf("%s:%d", have.Source, have.Line))
		case line == 0 || line == have.Line:
			found = i
			own = append(own, fmt.Sprint(have.Line))
		}
	}
	switch {
	case len(own) == 1:
		return found, nil
	case len(own) > 1:
		return 0, fmt.Errorf("%s: %w: %s on %s, on the lines %s", f.Source, ErrSeveral, e.Control, e.Target, strings.Join(own, " and "))
	case line > 0:
		return 0, fmt.Errorf("%s:%d: %w: %s on %s", f.Source, line, ErrNone, e.Control, e.Target)
	case len(other) > 0:
		return 0, fmt.Errorf("the exception for %s on %s stands in %s, which %s extends; %w", e.Control, e.Target, strings.Join(other, ", "), f.Source, ErrInherited)
	}
	return 0, fmt.Errorf("%s: %w: %s on %s", f.Source, ErrNone, e.Control, e.Target)
}

// prove loads the new text and insists that it says what the old one did, with these exceptions.
func (f File) prove(old *Profile, edit Edit, want []Exception) (Edit, error) {
	meant := *old
	meant.Exceptions = want
	return f.proveAll(&meant, edit)
}

// proveAll loads the new text and insists that it says what is meant.
func (f File) proveAll(meant *Profile, edit Edit) (Edit, error) {
	got, err := Load(edit.Data, f.Source, f.Catalog)
	if err != nil {
		return Edit{}, fmt.Errorf("internal error: the edited profile would be broken, and is not written: %w", err)
	}
	if !reflect.DeepEqual(placeless(got), placeless(meant)) {
		return Edit{}, fmt.Errorf("internal error: the edited profile would not say what was meant, and %s is left as it is; edit it by hand", f.Source)
	}
	return edit, nil
}

// placeless is a profile without the lines that its parts stand on, and without the digest of its text.
func placeless(p *Profile) Profile {
	out := *p
	out.SHA256 = ""
	out.Controls = make(map[string]Setting, len(p.Controls))
	for id, s := range p.Controls {
		out.Controls[id] = Setting{Params: s.Params}
	}
	out.Overrides, out.Exceptions = nil, nil
	for _, o := range p.Overrides {
		o.Line = 0
		out.Overrides = append(out.Overrides, o)
	}
	for _, e := range p.Exceptions {
		e.Line = 0
		out.Exceptions = append(out.Exceptions, e)
	}
	return out
}
