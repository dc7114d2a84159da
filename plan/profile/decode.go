package profile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder walks the tree of one file and collects everything that is wrong with it.
type decoder struct {
	source  string
	catalog Catalog
	errs    []*Error
}

// longestText bounds a message that repeats what the file has.
const longestText = 500

func (d *decoder) errorf(at ast.Node, format string, args ...any) {
	text := []rune(fmt.Sprintf(format, args...))
	if len(text) > longestText {
		text = append(text[:longestText:longestText], '…')
	}
	d.errs = append(d.errs, &Error{d.source, line(at), column(at), string(text)})
}

// entry is one key of a mapping.
type entry struct {
	key   ast.Node
	name  string
	value ast.Node
}

// entries lists the keys of a mapping in file order, each once. what names the mapping for errors.
func (d *decoder) entries(n ast.Node, what string) []entry {
	var values []*ast.MappingValueNode
	switch v := n.(type) {
	case *ast.MappingNode:
		values = v.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{v}
	default:
		d.errorf(n, "%s must be a mapping (key: value), this is %s", what, kindOf(n))
		return nil
	}
	var out []entry
	seen := make(map[string]int)
	for _, v := range values {
		name, ok := scalarText(v.Key)
		if !ok {
			d.errorf(v, "a key must be plain text, this is %s", kindOf(v.Key))
			continue
		}
		if first, dup := seen[name]; dup {
			d.errorf(v, "key %q is already on line %d", name, first)
			continue
		}
		seen[name] = line(v)
		out = append(out, entry{key: v.Key, name: name, value: v.Value})
	}
	return out
}

// fields is entries with a fixed set of keys; nil when it is no mapping.
func (d *decoder) fields(n ast.Node, what string, known ...string) map[string]ast.Node {
	if _, ok := n.(ast.MapNode); !ok {
		d.entries(n, what)
		return nil
	}
	out := make(map[string]ast.Node)
	for _, e := range d.entries(n, what) {
		if !slices.Contains(known, e.name) {
			d.errorf(e.key, "%s", unknown("key", e.name, known))
			continue
		}
		out[e.name] = e.value
	}
	return out
}

// items lists the elements of a list. A key without a value is an empty list, so that every line
// below it can be commented out.
func (d *decoder) items(n ast.Node, what string) []ast.Node {
	switch v := n.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		return v.Values
	}
	d.errorf(n, "%s must be a list (- …), this is %s", what, kindOf(n))
	return nil
}

// required is a text that must be there. at is the mapping it is missing in.
func (d *decoder) required(fields map[string]ast.Node, key string, at ast.Node) string {
	n, ok := fields[key]
	if !ok {
		d.errorf(at, "%q is missing", key)
		return ""
	}
	text, ok := d.text(n, key)
	if ok && strings.TrimSpace(text) == "" {
		d.errorf(n, "%q is empty", key)
	}
	return text
}

func (d *decoder) text(n ast.Node, what string) (string, bool) {
	text, ok := scalarText(n)
	if !ok {
		d.errorf(n, "%s must be text, this is %s%s", what, kindOf(n), quoteHint(n))
		return "", false
	}
	return strings.TrimRight(text, "\n"), true
}

// scalarText is the value of a plain, quoted or block text.
func scalarText(n any) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		if v.Value != nil {
			return v.Value.Value, true
		}
	}
	return "", false
}

// kindOf names a node's type in the words of a person.
func kindOf(n any) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "empty"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	}
	return "something else"
}

func quoteHint(n any) string {
	switch n.(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "; quote it"
	}
	return ""
}

// controlID resolves a control's name: its id, or its last part when only one id ends so.
func (d *decoder) controlID(at ast.Node, name string) (string, bool) {
	if _, ok := d.catalog[name]; ok {
		return name, true
	}
	var ids []string
	for id := range d.catalog {
		if !strings.Contains(name, "/") && strings.HasSuffix(id, "/"+name) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	switch len(ids) {
	case 1:
		return ids[0], true
	case 0:
		d.errorf(at, "%s", unknown("control", name, slices.Sorted(maps.Keys(d.catalog))))
	default:
		d.errorf(at, "control %q can be %s; write the whole id", name, strings.Join(ids, " or "))
	}
	return "", false
}
