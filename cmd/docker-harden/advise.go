package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/compose"
	"docker-harden/plan/inventory"
	"docker-harden/plan/owner"
)

// advise adds to a plan what has to be done elsewhere. With a file to save the plan in, it writes the
// override files of Compose projects beside it.
func (a *app) advise(c *cli.Context, h *inventory.Host, p *plan.Plan, out string) error {
	overrides := compose.Overrides(h, p)
	several := len(overrides) > 1
	var taken []string
	for _, o := range overrides {
		name := o.FileName(several)
		if out != "" && !o.Empty() {
			var err error
			if name, err = a.writeOverride(c, o, filepath.Join(filepath.Dir(out), name), taken); err != nil {
				return err
			}
			taken = append(taken, name)
		}
		advice := o.Advice(name, out != "")
		p.Advice = append(p.Advice, advice)
		if o.Empty() {
			continue
		}
		for i := range p.Steps {
			kept := func(m plan.Member) bool { return slices.Contains(advice.Targets, m.Resource.String()) }
			if s := &p.Steps[i]; slices.ContainsFunc(s.Parts(), kept) {
				s.Notes = append(s.Notes, filepath.Base(name)+" keeps it over docker compose up: see Elsewhere")
			}
		}
	}
	rest, err := owner.Advise(h, p)
	p.Advice = append(p.Advice, rest...)
	return err
}

// writeOverride writes an override file at name, and gives its absolute path. A file that stands
// there and is not just an older form of the same is kept, and the next free name is taken: it may
// be in use.
func (a *app) writeOverride(c *cli.Context, o *compose.Override, name string, taken []string) (string, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("cannot write the override of Compose project %s: %w", o.Project, err)
	}
	const most = 20
	for n, try := 1, name; n <= most; n++ {
		if n > 1 {
			try = strings.TrimSuffix(name, ".yaml") + fmt.Sprintf("-%d.yaml", n)
		}
		why, err := a.stands(try, o)
		switch {
		case err != nil:
			return "", err
		case slices.Contains(taken, try):
			continue
		case why != "":
			a.note(c, "%s is kept: %s", clean(try), clean(why))
			continue
		}
		data, err := o.File(try)
		if err != nil {
			return "", err
		}
		const readable = 0o644 // it holds no secrets, and Compose may run as another user
		return try, writeWhole(try, data, readable, func(have []byte) bool { return superseded(have, o) == "" })
	}
	return "", fmt.Errorf("cannot write %s: it and %d more names are taken; clear the directory, or save the plan in another", name, most-1)
}

// stands says why a file at name must be kept; empty: there is none, or its settings are all in the new one.
func (a *app) stands(name string, o *compose.Override) (why string, err error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	case !info.Mode().IsRegular():
		return "it is no ordinary file", nil
	case info.Size() > 1<<20:
		return "it was not made by this tool", nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	}
	return superseded(data, o), nil
}

// superseded says why a file is not replaced by an override; empty: it may be.
func superseded(data []byte, o *compose.Override) string {
	earlier, ok := compose.Earlier(data)
	if !ok {
		return "it was not made by this tool, or was changed since"
	}
	now := o.Settings()
	more := slices.DeleteFunc(earlier, func(s string) bool { return slices.Contains(now, s) })
	if len(more) == 0 {
		return ""
	}
	return fmt.Sprintf("it is of an earlier plan and sets what this one does not (%s); if that plan was applied, give Compose both", strings.Join(more, ", "))
}
