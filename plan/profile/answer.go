package profile

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// answersHead stands above a list of containers that Answer made.
const answersHead = "# What single containers need: docker-harden answer writes here, and so may you."

// ErrSame is why nothing is written: the profile says so already.
var ErrSame = errors.New("the profile says so already")

// Answer lets the profile say this of one control for one container, whatever else it says of them. An entry
// { … } of the file for this container and this control alone is changed, else one is added as the last, which wins.
func (f File) Answer(container, control string, params Params) (Edit, error) {
	spec, known := f.Catalog[control]
	switch {
	case !known:
		return Edit{}, fmt.Errorf("there is no control %q", control)
	case container == "" || strings.ContainsAny(container, "*?[]\\/"):
		return Edit{}, fmt.Errorf("%q is not the name of one container", container)
	}
	old, err := Load(f.Data, f.Source, f.Catalog)
	if err != nil {
		return Edit{}, err
	}
	if says(old, container, control, params, spec) {
		return Edit{}, fmt.Errorf("%s: %w: %s for %s", f.Source, ErrSame, control, container)
	}
	if _, on := old.ParamsFor(control, container, spec); !on {
		return Edit{}, fmt.Errorf("%s: %s is off for %s: turn it on first", f.Source, control, container)
	}
	l, err := readLayout(f.Data, f.Source, "containers")
	if err != nil {
		return Edit{}, err
	}
	if own := ownOverrides(old, l); own < 0 {
		return Edit{}, fmt.Errorf("internal error: %s has %d entries of containers, and %d were found in its text", f.Source, len(old.Overrides), len(l.items))
	}
	o := Override{Match: container, Controls: map[string]OverrideSetting{control: {Params: params}}}
	if edit, done, err := f.changeAnswer(old, l, o, control); done || err != nil {
		return edit, err
	}
	text := answerText(o, control, spec)
	edit, err := l.add(addition{
		head: answersHead, braced: text,
		dashed: func(indent int) []string { return []string{strings.Repeat(" ", indent) + "- " + text} },
	})
	if err != nil {
		return Edit{}, err
	}
	meant := *old
	meant.Overrides = append(slices.Clone(old.Overrides), o)
	return f.proveAll(&meant, edit)
}

// ownOverrides is how many of the entries stand in files that this one extends: they come first. Less than 0: the
// text and what was read of it disagree.
func ownOverrides(p *Profile, l *layout) int { return len(p.Overrides) - len(l.items) }

// changeAnswer changes the entry that there is for one container and one control, if that is enough: another one
// further down may say something else.
func (f File) changeAnswer(old *Profile, l *layout, o Override, control string) (edit Edit, done bool, err error) {
	first, spec, params := ownOverrides(old, l), f.Catalog[control], o.Controls[control].Params
	for i, it := range slices.Backward(l.items) {
		have := old.Overrides[first+i]
		was, has := have.Controls[control]
		node, braced := it.node.(*ast.MappingNode)
		if !braced || !node.IsFlowStyle || have.Match != o.Match || len(have.Controls) != 1 || !has || was.Off || have.Recreate != (Recreate{}) {
			continue
		}
		both := Params{}
		maps.Copy(both, was.Params)
		maps.Copy(both, params)
		have.Controls = map[string]OverrideSetting{control: {Params: both}}
		meant := *old
		meant.Overrides = slices.Clone(old.Overrides)
		meant.Overrides[first+i] = have
		if !says(&meant, o.Match, control, params, spec) {
			return Edit{}, false, nil
		}
		if edit, err = l.replaceBraced(node, answerText(have, control, spec)); errors.Is(err, errBrackets) {
			return Edit{}, false, nil // comments in it would be lost: another entry is added
		}
		if err == nil {
			edit, err = f.proveAll(&meant, edit)
		}
		return edit, err == nil, err
	}
	return Edit{}, false, nil
}

// says reports whether a profile has these parameters for a container.
func says(p *Profile, container, control string, params Params, spec []Param) bool {
	have, on := p.ParamsFor(control, container, spec)
	for name, want := range params {
		list, isList := want.([]string)
		on = on && (isList && slices.Equal(have.List(name), list) && have[name] != nil || !isList && reflect.DeepEqual(have[name], want))
	}
	return on
}

// answerText is an entry with one control, its parameters in the order in which they are declared.
func answerText(o Override, control string, spec []Param) string {
	var parts []string
	for _, s := range spec {
		if v, has := o.Controls[control].Params[s.Name]; has {
			parts = append(parts, s.Name+": "+FormatValue(v, s.Type))
		}
	}
	return fmt.Sprintf("{match: %s, controls: {%s: {params: {%s}}}}", quoted(o.Match), control, strings.Join(parts, ", "))
}
