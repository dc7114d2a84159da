package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"unicode"
)

//go:embed document.md
var documentText string

// columns of every table.
const (
	header = "| id | case | after apply | after rollback | shown by | result |"
	rule   = "|---|---|---|---|---|---|"
)

// section begins each table; what follows says which.
const section = "<!-- rows: "

// render writes the document. The same rows give the same bytes.
func render(rows []proof, engine string) (string, error) {
	form, err := template.New("document").Parse(documentText)
	if err != nil {
		return "", fmt.Errorf("internal error: %w", err)
	}
	counts := map[string]int{}
	for _, p := range rows {
		counts[p.Table]++
	}
	var out strings.Builder
	err = form.Execute(&out, map[string]any{"Engine": engine, "Counts": counts, "Total": len(rows), "Tables": written(rows)})
	if err != nil {
		return "", fmt.Errorf("internal error: cannot write the document: %w", err)
	}
	return out.String(), nil
}

// written are all tables as text.
func written(rows []proof) string {
	var out strings.Builder
	all := tables()
	for _, p := range rows {
		if i := place(p.Table); i == len(tables()) && all[len(all)-1].name != p.Table {
			all = append(all, table{name: p.Table, title: strings.ToUpper(p.Table[:1]) + p.Table[1:]})
		}
	}
	for _, t := range all {
		var own []proof
		for _, p := range rows {
			if p.Table == t.name {
				own = append(own, p)
			}
		}
		fmt.Fprintf(&out, "## %s\n\n", t.title)
		if t.intro != "" {
			fmt.Fprintf(&out, "%s\n\n", t.intro)
		}
		fmt.Fprintf(&out, "%s%s -->\n\n", section, t.name)
		if len(own) == 0 {
			out.WriteString("None yet.\n\n")
			continue
		}
		fmt.Fprintf(&out, "%s\n%s\n", header, rule)
		for _, p := range own {
			out.WriteString(line(p))
		}
		out.WriteString("\n")
	}
	return strings.TrimRight(out.String(), "\n")
}

func line(p proof) string {
	var out strings.Builder
	for _, cell := range []string{p.ID, p.Case, p.Apply, p.Rollback, p.Package + " " + p.Test, p.Result} {
		fmt.Fprintf(&out, "| %s ", escape(cell))
	}
	return out.String() + "|\n"
}

// special are the characters that mean something in Markdown within a line.
const special = "\\|*_`<>[]~&"

// escape makes a cell of any text.
func escape(s string) string {
	var out strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		switch {
		case !unicode.IsPrint(r):
			out.WriteRune(unicode.ReplacementChar)
		case strings.ContainsRune(special, r):
			out.WriteRune('\\')
			fallthrough
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// parse reads the rows of a document back.
func parse(doc string) ([]proof, error) {
	var out []proof
	table := ""
	for text := range strings.Lines(doc) {
		text = strings.TrimSpace(text)
		if name, ok := strings.CutPrefix(text, section); ok {
			table = strings.TrimSuffix(name, " -->")
			continue
		}
		if strings.HasPrefix(text, "## ") {
			table = ""
		}
		if table == "" || !strings.HasPrefix(text, "|") || text == header || text == rule {
			continue
		}
		cells, err := cells(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		p := proof{}
		p.Table, p.ID, p.Case, p.Apply, p.Rollback, p.Result = table, cells[0], cells[1], cells[2], cells[3], cells[5]
		p.Package, p.Test, _ = strings.Cut(cells[4], " ")
		out = append(out, p)
	}
	return out, nil
}

// cells takes a line of a table apart.
func cells(line string) ([]string, error) {
	var out []string
	var cell strings.Builder
	escaped := false
	for _, r := range strings.TrimPrefix(line, "|") {
		switch {
		case escaped:
			cell.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '|':
			out = append(out, strings.TrimSpace(cell.String()))
			cell.Reset()
		default:
			cell.WriteRune(r)
		}
	}
	if want := strings.Count(header, "|") - 1; len(out) != want || cell.Len() > 0 {
		return nil, errors.New("it is no row of a table")
	}
	return out, nil
}
