package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// group is a heading of the first help page.
type group struct {
	title    string
	commands []string
}

func groups() []group {
	return []group{
		{"Review (changes nothing)", []string{"plan", "show", "check", "explain", "snapshot", "learn"}},
		{"Change", []string{"apply", "confirm", "rollback", "resume", "prune"}},
		{"State", []string{"status", "history", "verify"}},
		{"Profiles", []string{"profile", "exception", "answer"}},
		{"Other", []string{"controls", "completion", "version"}},
	}
}

// help prints the help of a command, or the first page, on stdout.
func (a *app) help(path []*cli.Command) error {
	if len(path) == 0 {
		return a.firstPage()
	}
	c := path[len(path)-1]
	words := request{path: path}.words()
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s %s", a.name(), words)
	if len(c.Subcommands) > 0 {
		b.WriteString(" COMMAND")
	}
	fmt.Fprintf(&b, " [FLAGS]%s\n\n%s\n", prefixed(" ", c.ArgsUsage), upperFirst(c.Usage))
	if c.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(c.Description, "$CMD", a.name()))
	}
	if len(c.Subcommands) > 0 {
		b.WriteString("\nCommands:\n")
		commandTable(&b, c.Subcommands)
	}
	own := ownFlags(c)
	if len(own) > 0 {
		b.WriteString("\nFlags:\n")
		flagTable(&b, own)
	}
	fmt.Fprintf(&b, "\nGlobal flags are accepted too: see '%s --help'.\n", a.name())
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func (a *app) firstPage() error {
	var b strings.Builder
	fmt.Fprintf(&b, `Usage: %s [GLOBAL FLAGS] COMMAND [FLAGS] [ARGUMENTS]

Harden a Docker host: an exact plan, applied exactly, proven, and an exact way back.

  %[1]s plan -o host.plan          read everything, change nothing, say what would change
  sudo %[1]s apply host.plan       do exactly that, or nothing
  sudo %[1]s rollback              bring the host back as it was
`, a.name())
	commands := a.commands()
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		var members []*cli.Command
		for _, c := range commands {
			for _, name := range g.commands {
				if c.Name == name {
					members = append(members, c)
				}
			}
		}
		commandTable(&b, members)
	}
	b.WriteString("\nGlobal flags:\n")
	flagTable(&b, globalFlags())
	fmt.Fprintf(&b, "\nRun '%s COMMAND --help' for the flags of a command and examples.\n", a.name())
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func commandTable(b *strings.Builder, commands []*cli.Command) {
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	for _, c := range commands {
		if !c.Hidden {
			_, _ = fmt.Fprintf(w, "  %s\t%s\n", c.Name, c.Usage)
		}
	}
	_ = w.Flush()
}

func flagTable(b *strings.Builder, flags []cli.Flag) {
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || !visible(f) {
			continue
		}
		placeholder, usage := unquote(doc.GetUsage())
		short := "    "
		for _, s := range spellings(f) {
			if len(s) == len("-x") {
				short = s + ", "
			}
		}
		if value := doc.GetValue(); doc.TakesValue() && value != "" && value != "0s" && value != "[]" {
			usage += fmt.Sprintf(" (default %s)", strings.Trim(value, `"`))
		}
		if env := doc.GetEnvVars(); len(env) > 0 {
			usage += " [$" + strings.Join(env, ", $") + "]"
		}
		_, _ = fmt.Fprintf(w, "  %s%s%s\t%s\n", short, canonicalName(f), prefixed(" ", placeholder), usage)
	}
	_ = w.Flush()
}

// ownFlags are a command's flags without the global ones.
func ownFlags(c *cli.Command) []cli.Flag {
	global := make(map[string]bool)
	for _, f := range globalFlags() {
		global[f.Names()[0]] = true
	}
	var own []cli.Flag
	for _, f := range c.Flags {
		if !global[f.Names()[0]] {
			own = append(own, f)
		}
	}
	return own
}

func visible(f cli.Flag) bool {
	v, ok := f.(cli.VisibleFlag)
	return !ok || v.IsVisible()
}

// unquote takes the placeholder out of a usage text: "`FILE` with the key" is FILE, "FILE with the key".
func unquote(usage string) (placeholder, text string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage
	}
	placeholder, after, _ := strings.Cut(rest, "`")
	return placeholder, before + placeholder + after
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
