package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/urfave/cli/v2"
)

// request is what a command line asks for: a command, its flags and its arguments, told apart.
//
// The flag package stops at the first argument, so "apply host.plan --dry-run" would take --dry-run
// for an argument and really apply. Here flags are known wherever they stand, until "--".
type request struct {
	path  []*cli.Command
	flags []string // "--name" or "--name=value", by the flag's first name
	args  []string
	help  bool
	// pending is the flag at the end of the line whose value is still missing, for completion.
	pending cli.Flag
}

// words are the names of the command and its parents: "profile show".
func (r request) words() string {
	var names []string
	for _, c := range r.path {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// argv is the request as the command line library reads it without guessing.
func (r request) argv(program string) []string {
	out := []string{program}
	for _, c := range r.path {
		out = append(out, c.Name)
	}
	out = append(out, r.flags...)
	return append(append(out, "--"), r.args...)
}

// pluginWord is the command under which the docker CLI runs us: docker harden plan.
const pluginWord = "harden"

// parser reads one command line.
type parser struct {
	commands []*cli.Command // of the current level; nil when the command is known
	flags    []cli.Flag     // allowed here
	request
}

// parse tells the command, flags and arguments of argv apart. Its errors are usage errors.
func parse(commands []*cli.Command, global []cli.Flag, argv []string) (request, error) {
	p := parser{commands: commands, flags: global}
	err := p.read(argv)
	return p.request, err
}

func (p *parser) read(argv []string) error {
	for i := 0; i < len(argv); i++ {
		word := argv[i]
		switch {
		case word == "--":
			if p.commands != nil {
				return usagef("there is no command before --")
			}
			p.args = append(p.args, argv[i+1:]...)
			return nil
		case len(word) > 1 && word[0] == '-':
			used, err := p.flag(word, argv[i+1:])
			if err != nil {
				return p.in(err)
			}
			i += used
		case p.commands != nil:
			if err := p.command(word); err != nil {
				return p.in(err)
			}
		default:
			p.args = append(p.args, word)
		}
	}
	return nil
}

// in says whose help to read.
func (p *parser) in(err error) error {
	if usage, ok := err.(*usageError); ok { //nolint:errorlint // made above, never wrapped
		usage.help = p.words()
	}
	return err
}

func (p *parser) command(word string) error {
	top := len(p.path) == 0
	switch {
	case top && word == "help" && !p.help:
		p.help = true
		return nil
	case top && word == pluginWord:
		return nil
	}
	for _, c := range p.commands {
		if c.HasName(word) {
			p.path, p.commands, p.flags = append(p.path, c), c.Subcommands, c.Flags
			if len(c.Subcommands) == 0 {
				p.commands = nil
			}
			return nil
		}
	}
	var names []string
	for _, c := range p.commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return usagef("unknown command %q%s", strings.TrimSpace(p.words()+" "+word), didYouMean(word, names))
}

// flag takes one flag; used says how many of the words after it are its value.
func (p *parser) flag(word string, after []string) (used int, err error) {
	name, value, given := strings.Cut(word, "=")
	f := p.find(name)
	switch {
	case f == nil:
		return 0, p.unknownFlag(name)
	case f.Names()[0] == "help":
		p.help = true
		return 0, nil
	case !takesValue(f):
		if given {
			name = canonicalName(f) + "=" + value
		} else {
			name = canonicalName(f)
		}
		p.request.flags = append(p.request.flags, name)
		return 0, nil
	case given:
	case len(after) == 0:
		p.pending = f
		return 0, usagef("flag %s needs a value", name)
	case p.looksLikeFlag(after[0]):
		// "-m --dry-run" would swallow the flag that makes all the difference.
		return 0, usagef("flag %s needs a value, and %s is a flag; if it is meant, write %s=%s", name, after[0], canonicalName(f), after[0])
	default:
		value, used = after[0], 1
	}
	p.request.flags = append(p.request.flags, canonicalName(f)+"="+value)
	return used, nil
}

func (p *parser) looksLikeFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

// find looks a flag up as it must be written: --long, or -s for one letter.
func (p *parser) find(word string) cli.Flag {
	for _, f := range p.flags {
		if slices.Contains(spellings(f), word) {
			return f
		}
	}
	return nil
}

func (p *parser) unknownFlag(name string) error {
	var known []string
	for _, f := range p.flags {
		for _, s := range spellings(f) {
			if strings.TrimLeft(s, "-") == strings.TrimLeft(name, "-") {
				return usagef("unknown flag %s: write %s", name, s)
			}
			known = append(known, s)
		}
	}
	if apart := p.unbundle(name); apart != "" {
		return usagef("unknown flag %s: flags are written one by one: %s", name, apart)
	}
	if p.commands != nil {
		return usagef("unknown flag %s before the command; a command's own flags stand after it%s", name, didYouMean(name, known))
	}
	return usagef("unknown flag %s%s", name, didYouMean(name, known))
}

// unbundle takes "-qD" apart, if it is made of one-letter flags without values.
func (p *parser) unbundle(word string) string {
	var out []string
	for _, letter := range strings.TrimPrefix(word, "-") {
		f := p.find("-" + string(letter))
		if f == nil || takesValue(f) {
			return ""
		}
		out = append(out, "-"+string(letter))
	}
	return strings.Join(out, " ")
}

// spellings are the ways to write a flag.
func spellings(f cli.Flag) []string {
	var out []string
	for _, name := range f.Names() {
		if len(name) == 1 {
			out = append(out, "-"+name)
		} else {
			out = append(out, "--"+name)
		}
	}
	return out
}

func canonicalName(f cli.Flag) string { return "--" + f.Names()[0] }

func takesValue(f cli.Flag) bool {
	doc, ok := f.(cli.DocGenerationFlag)
	return ok && doc.TakesValue()
}

// didYouMean suggests the nearest known word, if one is near.
func didYouMean(word string, known []string) string {
	best, least := "", len(word)/2+1
	for _, k := range known {
		const telling = 4 // a shorter beginning says too little
		if len(word) >= telling && strings.HasPrefix(k, word) {
			best = k
			break
		}
		if d := levenshtein.ComputeDistance(word, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
