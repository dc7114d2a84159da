package edit

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// level is one open object or array of the walk.
type level struct {
	keys map[string]bool // nil for an array
	key  bool            // the next token of an object is a key
}

// walk reads valid JSON token by token, refuses equal keys and depth, and notes where the members of the
// root object are. Keys are compared as decoded: "icc" and "\u0069cc" are the same key to the engine.
func walk(doc []byte, open int) (*object, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	root, stack := &object{open: open}, []level(nil)
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, at(doc, int(dec.InputOffset()), "cannot be read")
		}
		end := int(dec.InputOffset())
		if delim, ok := token.(json.Delim); ok {
			switch delim {
			case '{', '[':
				if len(stack) == MaxDepth {
					return nil, at(doc, end-1, fmt.Sprintf("more than %d levels of nesting", MaxDepth))
				}
				stack = append(stack, opened(delim))
				continue
			}
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				root.close = end - 1
				return root, nil
			}
			root.valueDone(len(stack), end)
			stack[len(stack)-1].key = true
			continue
		}
		top := &stack[len(stack)-1]
		if top.keys == nil || !top.key {
			root.valueDone(len(stack), end)
			top.key = true
			continue
		}
		name, start := token.(string), stringStart(doc, end)
		if top.keys[name] {
			return nil, at(doc, start, fmt.Sprintf("the key %q stands twice in one object; the engine uses the last, remove one", name))
		}
		top.keys[name], top.key = true, false
		if len(stack) == 1 {
			value := skipSpace(doc, skipSpace(doc, end)+1)
			root.members = append(root.members, member{name: name, keyStart: start, keyEnd: end, valueStart: value})
		}
	}
}

func opened(delim json.Delim) level {
	if delim == '{' {
		return level{keys: map[string]bool{}, key: true}
	}
	return level{}
}

// valueDone notes the end of a member's value of the root object; deeper values are of no interest.
func (o *object) valueDone(depth, end int) {
	if depth == 1 {
		o.members[len(o.members)-1].valueEnd = end
	}
}

// stringStart finds the opening quote of the string that ends at end: the nearest quote before it that is
// not escaped, which is one with an even number of backslashes before it.
func stringStart(doc []byte, end int) int {
	for i := end - 2; i >= 0; i-- {
		if doc[i] != '"' {
			continue
		}
		slashes := 0
		for i-slashes-1 >= 0 && doc[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return 0
}
