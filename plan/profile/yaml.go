package profile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a profile file. They keep a hostile file from exhausting memory or the stack of the parser.
const (
	maxSize   = 1 << 20
	maxTokens = 50000 // the parser's time grows with the square of a mapping's length
	maxDepth  = 16    // nested flow brackets
	maxInline = 8     // "- - - x" on one line
)

// parse reads YAML into a tree and returns the one document's body. A profile needs only plain
// mappings, lists and scalars, so everything else YAML has (anchors, tags, several documents) is refused.
func parse(data []byte, source string) (body ast.Node, err error) {
	if e := plainText(data); e != nil {
		e.Source = source
		return nil, e
	}
	// The parser is foreign code fed with a foreign file: a panic there is this file's error.
	defer func() {
		if r := recover(); r != nil {
			body, err = nil, &Error{Source: source, Text: fmt.Sprintf("this is not YAML that can be read (%v)", r)}
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxTokens {
		return nil, &Error{Source: source, Text: fmt.Sprintf("it has %d words and marks; a profile may have %d", len(tokens), maxTokens)}
	}
	if list := refuse(tokens); len(list) > 0 {
		for _, e := range list {
			e.Source = source
		}
		return nil, join(source, list)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxError(err, source)
	}
	for _, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.CommentNode:
			continue
		}
		if body != nil {
			return nil, &Error{source, line(doc.Body), column(doc.Body), "a second YAML document begins here; a profile is one document"}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, &Error{Source: source, Text: "the profile is empty; docker-harden profile init writes one to start from"}
	}
	return body, nil
}

// plainText refuses what is no text file before a parser sees it.
func plainText(data []byte) *Error {
	for _, bom := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(bom)) {
			return &Error{Line: 1, Col: 1, Text: "it begins with a byte order mark; save it as UTF-8 without BOM"}
		}
	}
	if len(data) > maxSize {
		return &Error{Text: fmt.Sprintf("it has %d bytes; a profile may have %d", len(data), maxSize)}
	}
	ln, col := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return &Error{Line: ln, Col: col, Text: fmt.Sprintf("byte 0x%02x is not UTF-8", data[i])}
		case r == '\r' && i+1 < len(data) && data[i+1] == '\n', r == '\t':
		case r == '\n':
			ln, col = ln+1, 0
		case r < ' ' || r >= 0x7f && r <= 0x9f:
			return &Error{Line: ln, Col: col, Text: fmt.Sprintf("control character U+%04X is not allowed", r)}
		}
		i, col = i+size, col+1
	}
	return nil
}

// refuse finds the parts of YAML that a profile must not use.
func refuse(tokens token.Tokens) []*Error {
	var list []*Error
	depth, inline, at := 0, 0, 0
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		if t.Position.Line != at {
			at, inline = t.Position.Line, 0
		}
		text := ""
		switch t.Type {
		case token.AnchorType:
			text = "anchors (&name) are not allowed; write the value out, or quote it when it begins with &"
		case token.AliasType:
			text = `a value that begins with * must be quoted ("*"); aliases are not allowed`
		case token.MergeKeyType:
			text = "merge keys (<<) are not allowed; use extends"
		case token.TagType:
			text = "tags are not allowed; quote a value that begins with !"
		case token.DirectiveType:
			text = "directives (%) are not allowed; remove the line"
		case token.SequenceStartType, token.MappingStartType:
			if depth++; depth > maxDepth {
				text = "brackets are nested too deeply"
			}
		case token.SequenceEndType, token.MappingEndType:
			depth = max(0, depth-1)
		case token.SequenceEntryType, token.MappingKeyType:
			if inline++; inline > maxInline {
				text = "too many list marks on one line"
			}
		}
		if text != "" {
			list = append(list, &Error{Line: t.Position.Line, Col: t.Position.Column, Text: text})
			if depth > maxDepth || inline > maxInline {
				return list // the same mistake once is enough
			}
		}
	}
	return list
}

func syntaxError(err error, source string) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		// A line break inside the message would break the one-line form.
		text := strings.Join(strings.Fields(syntax.Message), " ")
		if strings.Contains(syntax.Token.Value, "\t") {
			text = "indentation must be spaces, not tabs"
		}
		return &Error{source, syntax.Token.Position.Line, syntax.Token.Position.Column, text}
	}
	return &Error{Source: source, Text: "this is not YAML: " + strings.Join(strings.Fields(err.Error()), " ")}
}

// line and column of a node, from 1. A mapping begins at its first key: the parser says the colon.
func line(n ast.Node) int   { return position(n).Line }
func column(n ast.Node) int { return position(n).Column }

func position(n ast.Node) token.Position {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return position(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return position(v.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return token.Position{}
	}
	return *n.GetToken().Position
}
