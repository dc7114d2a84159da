package profile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"docker-harden/plan"
)

// controls reads the section that turns controls on and off.
func (d *decoder) controls(p *Profile, n ast.Node) {
	for _, s := range d.settings(n, "controls") {
		if s.off {
			delete(p.Controls, s.id)
			continue
		}
		merged := maps.Clone(p.Controls[s.id].Params)
		if merged == nil {
			merged = Params{}
		}
		maps.Copy(merged, s.params)
		p.Controls[s.id] = Setting{Params: merged, Line: line(s.at)}
	}
}

// setting is one line of a controls section.
type setting struct {
	at     ast.Node
	id     string
	off    bool
	params Params
}

func (d *decoder) settings(n ast.Node, what string) []setting {
	if _, null := n.(*ast.NullNode); n == nil || null {
		return nil // everything below the key is commented out
	}
	var out []setting
	seen := make(map[string]int)
	for _, e := range d.entries(n, what) {
		id, ok := d.controlID(e.key, e.name)
		if !ok {
			continue
		}
		if first, dup := seen[id]; dup {
			d.errorf(e.key, "control %s is already on line %d", id, first)
			continue
		}
		seen[id] = line(e.key)
		s := setting{at: e.key, id: id}
		if s.off, s.params, ok = d.setting(e, id); ok {
			out = append(out, s)
		}
	}
	return out
}

// setting reads what stands behind a control: {}, {params: …}, on or off.
func (d *decoder) setting(e entry, id string) (off bool, params Params, ok bool) {
	n := e.value
	switch v := n.(type) {
	case *ast.BoolNode: // YAML 1.1 writers mean on and off by it
		return !v.Value, nil, true
	case *ast.StringNode:
		if v.Value == "on" || v.Value == "off" {
			return v.Value == "off", nil, true
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		before := len(d.errs)
		if list, has := d.fields(n, id, "params")["params"]; has {
			params = d.params(list, id)
		}
		return false, params, len(d.errs) == before
	}
	if _, null := n.(*ast.NullNode); null {
		n = e.key // the place of nothing is behind the line
	}
	d.errorf(n, "control %s needs {} to be on, {params: …} or off, this is %s", id, kindOf(e.value))
	return false, nil, false
}

// containers reads the overrides for single containers.
func (d *decoder) containers(p *Profile, n ast.Node, known bool) {
	for _, item := range d.items(n, "containers") {
		fields := d.fields(item, "an entry of containers", "match", "controls", "recreate")
		if fields == nil {
			continue
		}
		o := Override{Match: d.required(fields, "match", item), Controls: make(map[string]OverrideSetting), Line: line(item)}
		if _, err := path.Match(o.Match, ""); err != nil {
			d.errorf(fields["match"], "%q is not a pattern of container names: %v", o.Match, err)
		}
		if strings.Contains(o.Match, "/") {
			d.errorf(fields["match"], "%q cannot match: a container name has no slash; write the bare name or pattern", o.Match)
		}
		if n, has := fields["recreate"]; has {
			o.Recreate = d.recreate(n)
		}
		list, has := fields["controls"]
		if !has && fields["recreate"] == nil {
			d.errorf(item, "%q is missing", "controls")
			continue
		}
		for _, s := range d.settings(list, "controls") {
			if _, on := p.Controls[s.id]; known && !on && !s.off {
				d.errorf(s.at, "control %s is off in this profile; turn it on under controls first", s.id)
			}
			o.Controls[s.id] = OverrideSetting{Off: s.off, Params: s.params}
		}
		p.Overrides = append(p.Overrides, o)
	}
}

// recreate reads the section that says how containers are recreated.
func (d *decoder) recreate(n ast.Node) (r Recreate) {
	if _, null := n.(*ast.NullNode); n == nil || null {
		return r // everything below the key is commented out
	}
	if at, has := d.fields(n, "recreate", "writable_layer")["writable_layer"]; has {
		r.WritableLayer, _ = d.choice(at, Param{Name: "writable_layer", Choices: []string{plan.LayerCarry, plan.LayerRefuse}})
	}
	return r
}

// exceptions reads the accepted risks.
func (d *decoder) exceptions(p *Profile, n ast.Node) {
	seen := make(map[Exception]int)
	for _, item := range d.items(n, "exceptions") {
		fields := d.fields(item, "an exception", "control", "target", "reason", "owner", "expires")
		if fields == nil {
			continue
		}
		e := Exception{
			Target: d.required(fields, "target", item),
			Reason: d.required(fields, "reason", item),
			Owner:  d.required(fields, "owner", item),
			Source: d.source,
			Line:   line(item),
		}
		if name := d.required(fields, "control", item); name != "" {
			e.Control, _ = d.controlID(fields["control"], name)
		}
		if e.Target != "" {
			d.target(fields["target"], e.Target)
		}
		if at, has := fields["expires"]; has {
			e.Expires = d.date(at)
		}
		same := Exception{Control: e.Control, Target: e.Target, Expires: e.Expires}
		if first, dup := seen[same]; dup && e.Control != "" {
			d.errorf(item, "the same exception is already on line %d", first)
		}
		seen[same] = e.Line
		p.Exceptions = append(p.Exceptions, e)
	}
}

func (d *decoder) target(at ast.Node, target string) {
	if err := checkTarget(target); err != nil {
		d.errorf(at, "%v", err)
	}
}

func checkTarget(target string) error {
	kind, name, slash := strings.Cut(target, "/")
	valid := !slash && (kind == "daemon" || kind == "host" || kind == "swarm") ||
		slash && name != "" && (kind == "container" || kind == "host")
	if !valid {
		return fmt.Errorf("target %q must be daemon, swarm, host, host/PATH or container/NAME (globs allowed)", target)
	}
	_, err := plan.Container("x", "").Match(target)
	return err
}

func (d *decoder) date(at ast.Node) time.Time {
	text, ok := d.text(at, "expires")
	if !ok {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		d.errorf(at, "expires %q must be a date, YYYY-MM-DD", text)
	}
	return day
}

// params reads the parameters of one control.
func (d *decoder) params(n ast.Node, id string) Params {
	specs := d.catalog[id]
	out := Params{}
	for _, e := range d.entries(n, "params of "+id) {
		i := slices.IndexFunc(specs, func(s Param) bool { return s.Name == e.name })
		if i < 0 {
			names := make([]string, len(specs))
			for i, s := range specs {
				names[i] = s.Name
			}
			d.errorf(e.key, "%s", unknown("parameter of "+id, e.name, names))
			continue
		}
		if v, ok := d.value(e.value, specs[i]); ok {
			out[e.name] = v
		}
	}
	return out
}
