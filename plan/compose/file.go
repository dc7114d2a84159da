package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"docker-harden/plan"
	"docker-harden/plan/owner"
)

const (
	mark    = "# docker-harden: hardening that a plan gave to Compose project "
	sumMark = "# sha256 of what follows: "
)

// FileName is what the file is called beside the plan; several tells that a plan has files for
// several projects.
func (o *Override) FileName(several bool) string {
	const name = "compose.harden.yaml"
	if !several {
		return name
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, o.Project) + "." + name
}

// Command is the command line that lets Compose use the file at name.
func (o *Override) Command(name string) string {
	words := []string{"docker", "compose"}
	if o.old {
		words = []string{"docker-compose"}
	}
	words = append(words, "-p", o.Project)
	files := o.own()
	if path.IsAbs(o.dir) && o.dir != path.Dir(files[0]) {
		words = append(words, "--project-directory", o.dir)
	}
	for _, f := range o.env {
		words = append(words, "--env-file", f)
	}
	for _, f := range append(files, name) {
		words = append(words, "-f", f)
	}
	return owner.Command(append(words, "up", "-d")...)
}

// own are the project's own files; where they are not known, a name stands for them.
func (o *Override) own() []string {
	if len(o.files) == 0 {
		return []string{"compose.yaml"}
	}
	return slices.Clone(o.files)
}

// remarks are what a person should know of the file.
func (o *Override) remarks() []string {
	var out []string
	switch {
	case len(o.files) == 0:
		out = append(out, "the project's own files are not known: compose.yaml stands for them")
	case slices.Contains(o.files, "-"):
		out = append(out, "the project was read from standard input (-): give Compose the same again")
	}
	if o.Tagged {
		out = append(out, "it replaces lists (!override), which needs Docker Compose "+versionText(taggedSince)+" or newer")
	}
	for _, l := range o.Left {
		out = append(out, "not in it: "+l)
	}
	for i := range out {
		out[i] = owner.OneLine(out[i])
	}
	return out
}

// File is the content of the file that will stand at name.
func (o *Override) File(name string) ([]byte, error) {
	services := make(yaml.MapSlice, 0, len(o.services))
	for _, s := range o.services {
		services = append(services, yaml.MapItem{Key: s.name, Value: s.fields})
	}
	text, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: "services", Value: services}}, yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("cannot write the override of Compose project %s: %w", o.Project, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `#
# Compose makes containers again from its project's files, and would make these without the plan's
# changes. Give it this file after them, every time:
#   %s
# or for good, as COMPOSE_FILE=%s in the project's .env file.
# The first up with it makes each of these containers again once. It holds no secrets.
`, o.Command(name), owner.OneLine(strings.Join(append(o.own(), name), ":")))
	for _, r := range o.remarks() {
		fmt.Fprintf(&b, "# %s\n", r)
	}
	b.Write(text)
	head := fmt.Sprintf("%s%s\n%s%s\n", mark, owner.OneLine(o.Project), sumMark, sum(b.Bytes()))
	return append([]byte(head), b.Bytes()...), nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// Earlier reads a file that [Override.File] made and nobody changed since: what it sets. false: it is
// something else.
func Earlier(data []byte) (settings []string, ok bool) {
	first, rest, _ := strings.Cut(string(data), "\n")
	second, body, _ := strings.Cut(rest, "\n")
	if !strings.HasPrefix(first, mark) || second != sumMark+sum([]byte(body)) {
		return nil, false
	}
	var file struct {
		Services yaml.MapSlice `yaml:"services"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(body), &file, yaml.UseOrderedMap()); err != nil {
		return nil, false
	}
	for _, s := range file.Services {
		if fields, isMap := s.Value.(yaml.MapSlice); isMap {
			settings = append(settings, leaves(fmt.Sprint(s.Key)+": ", fields)...)
		}
	}
	slices.Sort(settings)
	return settings, true
}

// Advice says what to do so that the hardening lasts. name is the file that was written; where none
// was, written is false and name is what it would be called.
func (o *Override) Advice(name string, written bool) plan.Advice {
	a := plan.Advice{Owner: owner.OneLine("Compose project " + o.Project), Targets: o.Targets}
	if o.Empty() {
		a.Text = []string{"What the plan changes is undone by docker compose up when the project's file changes, and no override file can keep it."}
		a.Copy = comments(o.remarks())
		return a
	}
	const why = "Undone by docker compose up when the project's file changes"
	if !written {
		a.Text = []string{fmt.Sprintf("%s, unless Compose is given %s as well: plan -o FILE writes it beside FILE.", why, name)}
		a.Copy = comments(o.remarks())
		return a
	}
	a.File = name
	a.Text = []string{
		fmt.Sprintf("%s, unless it is given %s as well, from now on.", why, owner.OneLine(name)),
		"The first up with it makes each of these containers again once, so confirm the apply before.",
	}
	a.Copy = append([]string{o.Command(name)}, comments(o.remarks())...)
	return a
}

func comments(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, "# "+l)
	}
	return out
}
