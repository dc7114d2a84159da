package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// nameForm is what a profile may be called: it is also a file name and printed unquoted.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)

// maxExtends bounds a chain of extends.
const maxExtends = 8

// Load reads one profile strictly and merges what it extends. Everything wrong with the file is in
// the error, each with its line (see [Errors]). source is the file's name: errors name it, and a
// profile that is extended and not embedded is looked for beside it.
func Load(data []byte, source string, c Catalog) (*Profile, error) {
	return (&loader{catalog: c}).load(data, source)
}

type loader struct {
	catalog Catalog
	chain   []string // sources that are being loaded, to notice a circle
}

func (l *loader) load(data []byte, source string) (*Profile, error) {
	body, err := parse(data, source)
	if err != nil {
		return nil, err
	}
	d := &decoder{source: source, catalog: l.catalog}
	top := d.fields(body, "a profile", "format", "name", "description", "extends", "controls", "recreate", "containers", "exceptions")
	if top == nil {
		return nil, join(source, d.errs)
	}
	d.format(top["format"], body)
	sum := sha256.Sum256(data)
	p := &Profile{Source: source, SHA256: hex.EncodeToString(sum[:]), Controls: make(map[string]Setting)}
	if p.Name = d.required(top, "name", body); p.Name != "" && !nameForm.MatchString(p.Name) {
		d.errorf(top["name"], "name %q may have letters, digits, dot, dash and underscore, at most 64", p.Name)
	}
	if n, ok := top["description"]; ok {
		p.Description, _ = d.text(n, "description")
	}
	if n, ok := top["extends"]; ok {
		l.extend(d, p, n)
	}
	d.controls(p, top["controls"])
	if r := d.recreate(top["recreate"]); r.WritableLayer != "" {
		p.Recreate = r
	}
	known := len(d.errs) == 0 // else the list of controls may lack some, and what follows would mislead
	d.containers(p, top["containers"], known)
	d.exceptions(p, top["exceptions"])
	if known && len(d.errs) == 0 && len(p.Controls) == 0 {
		d.errorf(body, "the profile turns no control on; add extends or controls")
	}
	if err := join(source, d.errs); err != nil {
		return nil, err
	}
	return p, nil
}

func (d *decoder) format(n, body ast.Node) {
	if n == nil {
		d.errorf(body, "%q is missing; write format: %s", "format", Format)
		return
	}
	if text, ok := d.text(n, "format"); ok && text != Format {
		d.errorf(n, "format %q is not known; this version reads %s", text, Format)
	}
}

// extend loads the parent and lets p begin with what it says.
func (l *loader) extend(d *decoder, p *Profile, n ast.Node) {
	name, ok := d.text(n, "extends")
	if !ok {
		return
	}
	if !nameForm.MatchString(name) {
		d.errorf(n, "extends %q must be the name of an embedded profile (%s) or of a file beside this one", name, strings.Join(Names(), ", "))
		return
	}
	if len(l.chain)+1 >= maxExtends {
		d.errorf(n, "extends goes over more than %d files", maxExtends)
		return
	}
	data, source, err := l.find(name, d.source)
	if err != nil {
		d.errorf(n, "cannot extend %q: %v", name, err)
		return
	}
	if source == d.source || slices.Contains(l.chain, source) {
		d.errorf(n, "extends goes in a circle: %s", strings.Join(append(l.chain, d.source, source), " -> "))
		return
	}
	parent, err := (&loader{catalog: l.catalog, chain: append(slices.Clone(l.chain), d.source)}).load(data, source)
	if err != nil {
		d.errorf(n, "cannot extend %q: it has errors", name)
		d.errs = append(d.errs, Errors(err)...)
		return
	}
	for id, setting := range parent.Controls {
		p.Controls[id] = Setting{Params: setting.Params}
	}
	p.Recreate = parent.Recreate
	p.Overrides = slices.Clone(parent.Overrides)
	p.Exceptions = slices.Clone(parent.Exceptions)
	both := sha256.Sum256([]byte(p.SHA256 + parent.SHA256))
	p.SHA256 = hex.EncodeToString(both[:])
}

// find reads the profile that is extended: an embedded one, or NAME or NAME.yaml beside source.
func (l *loader) find(name, source string) (data []byte, from string, err error) {
	if data, ok := Embedded(name); ok {
		return data, embeddedSource(name), nil
	}
	if source == embeddedSource(strings.TrimSuffix(filepath.Base(source), ".yaml")) {
		return nil, "", fmt.Errorf("it is not embedded")
	}
	path := filepath.Join(filepath.Dir(source), name)
	if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" {
		path += ".yaml"
	}
	data, err = readFile(path)
	return data, path, err
}
