package profile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/goccy/go-yaml/ast"
)

// value reads one parameter and checks it against its declaration.
func (d *decoder) value(n ast.Node, spec Param) (any, bool) {
	switch spec.Type {
	case TypeBool:
		if v, ok := n.(*ast.BoolNode); ok {
			return v.Value, true
		}
	case TypeInt:
		if v, ok := n.(*ast.IntegerNode); ok {
			return d.integer(v, spec)
		}
	case TypeFloat:
		return d.float(n, spec)
	case TypeSize:
		return d.size(n, spec)
	case TypeText:
		return d.text(n, spec.Name)
	case TypeChoice:
		return d.choice(n, spec)
	case TypeList:
		return d.list(n, spec)
	}
	d.errorf(n, "%s must be %s, this is %s", spec.Name, article(spec), kindOf(n))
	return nil, false
}

func article(spec Param) string {
	switch spec.Type {
	case TypeBool:
		return "true or false"
	case TypeInt:
		return "a whole number"
	case TypeSize:
		return `a size ("256MiB", or bytes)`
	}
	return "a " + string(spec.Type)
}

func (d *decoder) integer(n *ast.IntegerNode, spec Param) (any, bool) {
	var v int64
	switch raw := n.Value.(type) {
	case int64:
		v = raw
	case uint64:
		if raw > math.MaxInt64 {
			d.errorf(n, "%s is too large", spec.Name)
			return nil, false
		}
		v = int64(raw)
	default:
		d.errorf(n, "%s must be a whole number", spec.Name)
		return nil, false
	}
	return v, d.within(n, spec, float64(v))
}

func (d *decoder) float(n ast.Node, spec Param) (any, bool) {
	var v float64
	switch node := n.(type) {
	case *ast.FloatNode:
		v = node.Value
	case *ast.IntegerNode:
		whole, ok := d.integer(node, Param{Name: spec.Name})
		if !ok {
			return nil, false
		}
		v = float64(whole.(int64))
	default:
		d.errorf(n, "%s must be a number, this is %s", spec.Name, kindOf(n))
		return nil, false
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.errorf(n, "%s must be a finite number", spec.Name)
		return nil, false
	}
	return v, d.within(n, spec, v)
}

// maxBytes is far above any host and below what a float or int64 could get wrong.
const maxBytes = 1 << 60

func (d *decoder) size(n ast.Node, spec Param) (any, bool) {
	if node, ok := n.(*ast.IntegerNode); ok {
		return d.integer(node, spec)
	}
	text, ok := scalarText(n)
	if !ok {
		d.errorf(n, "%s must be %s, this is %s", spec.Name, article(spec), kindOf(n))
		return nil, false
	}
	v, err := units.RAMInBytes(text)
	if err != nil || v < 0 || v > maxBytes {
		d.errorf(n, `%s %q is not a size; write it like "256MiB", "1g" or as bytes`, spec.Name, text)
		return nil, false
	}
	return v, d.within(n, spec, float64(v))
}

func (d *decoder) choice(n ast.Node, spec Param) (string, bool) {
	text, ok := d.text(n, spec.Name)
	if !ok {
		return "", false
	}
	if !slices.Contains(spec.Choices, text) {
		d.errorf(n, "%s", unknown("value of "+spec.Name, text, spec.Choices))
		return "", false
	}
	return text, true
}

func (d *decoder) list(n ast.Node, spec Param) (any, bool) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.errorf(n, "%s must be a list, this is %s; write [A, B]", spec.Name, kindOf(n))
		return nil, false
	}
	out, before := []string{}, len(d.errs)
	have := make(map[string]bool, len(seq.Values))
	for _, item := range seq.Values {
		text, ok := d.text(item, "an element of "+spec.Name)
		switch {
		case !ok:
		case have[text]:
			d.errorf(item, "%q stands twice in %s", text, spec.Name)
		case len(spec.Choices) > 0 && !slices.Contains(spec.Choices, text):
			d.errorf(item, "%s", unknown("value of "+spec.Name, text, spec.Choices))
		default:
			out = append(out, text)
		}
		have[text] = true
	}
	return out, len(d.errs) == before
}

// within checks the range of a number or size.
func (d *decoder) within(n ast.Node, spec Param, v float64) bool {
	if spec.Max <= spec.Min || v >= spec.Min && v <= spec.Max {
		return true
	}
	d.errorf(n, "%s must be from %s to %s", spec.Name, bound(spec, spec.Min), bound(spec, spec.Max))
	return false
}

func bound(spec Param, v float64) string {
	if spec.Type == TypeSize {
		return formatSize(int64(v))
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// formatSize writes bytes so that reading them gives the same number.
func formatSize(v int64) string {
	for _, unit := range []struct {
		name  string
		shift int
	}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if v > 0 && v%(1<<unit.shift) == 0 {
			return fmt.Sprintf("%d%s", v>>unit.shift, unit.name)
		}
	}
	return strconv.FormatInt(v, 10)
}

// FormatValue writes a parameter's value as a profile would have it, on one line.
func FormatValue(v any, t ParamType) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case int64:
		if t == TypeSize {
			return formatSize(v)
		}
	case string:
		return quoted(v)
	case []string:
		parts := make([]string, len(v))
		for i, s := range v {
			parts[i] = quoted(s)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// quoted leaves words bare that YAML surely reads as text.
func quoted(s string) string {
	bare := s != ""
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		bare = bare && (letter || i > 0 && (r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9'))
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		bare = false
	}
	if bare {
		return s
	}
	return strconv.Quote(s)
}
