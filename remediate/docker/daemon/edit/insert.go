package edit

import (
	"bytes"
	"encoding/json"
)

// indent is used where a file gives no example: Docker's own documentation indents by two.
const indent = "  "

// insertion adds a key behind the last member in the file's own manner. Where the object spans lines, or is
// empty, the key gets a line of its own: people and auditing scripts read daemon.json by line.
func insertion(doc []byte, root *object, name string, to []byte) span {
	key := quoted(name)
	if len(root.members) == 0 {
		return firstMember(doc, root, key, to)
	}
	last := root.members[len(root.members)-1]
	colon := doc[last.keyEnd:last.valueStart]
	if bytes.ContainsAny(colon, "\r\n") {
		colon = []byte(": ")
	}
	text := append([]byte(","), leading(doc, root, colon)...)
	text = append(append(append(text, key...), colon...), to...)
	return span{offset: last.valueEnd, text: text}
}

func firstMember(doc []byte, root *object, key, to []byte) span {
	line := newline(doc)
	text := []byte(line + indent)
	text = append(append(append(text, key...), ": "...), to...)
	if !bytes.ContainsRune(doc[root.open:root.close], '\n') {
		text = append(text, line...)
	}
	return span{offset: root.open + 1, text: text}
}

// leading is the white space before a new last member: that of the nearest member that has its own line,
// else, in a one-line object, that of the last member.
func leading(doc []byte, root *object, colon []byte) []byte {
	for i := len(root.members) - 1; i >= 0; i-- {
		before := spaceBefore(doc, root.members[i].keyStart)
		if at := bytes.LastIndexByte(before, '\n'); at >= 0 {
			return append([]byte(newline(doc)), before[at+1:]...)
		}
	}
	if multiline(doc, root) {
		return []byte(newline(doc) + indent)
	}
	last := root.members[len(root.members)-1]
	before := spaceBefore(doc, last.keyStart)
	if len(before) == 0 && len(root.members) == 1 && len(colon) > 1 {
		return []byte(" ") // {"a": 1} is spaced after the colon, so after the comma too
	}
	return before
}

// multiline reports a line break between the members or before the closing brace, not inside a value.
func multiline(doc []byte, root *object) bool {
	from := root.open + 1
	for _, m := range root.members {
		if bytes.ContainsRune(doc[from:m.valueStart], '\n') {
			return true
		}
		from = m.valueEnd
	}
	return bytes.ContainsRune(doc[from:root.close], '\n')
}

// spaceBefore is the white space that ends at an offset.
func spaceBefore(doc []byte, end int) []byte {
	start := end
	for start > 0 && space(doc[start-1]) {
		start--
	}
	return doc[start:end]
}

// newline is the file's line break.
func newline(doc []byte) string {
	if at := bytes.IndexByte(doc, '\n'); at > 0 && doc[at-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// quoted writes a key without the escapes meant for HTML.
func quoted(name string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(name) != nil {
		return nil // a string cannot fail
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}
