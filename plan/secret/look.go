package secret

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Source is where credentials are looked for.
type Source struct {
	Env    []string
	Labels map[string]string
	// Command lines, word by word.
	Entrypoint, Cmd, Healthcheck []string
	// History are the commands that built an image, the newest first.
	History []string
}

// Find is a credential: where it is and how it was found, and nothing of what it is.
type Find struct {
	Place  string `json:"place"`  // "env DB_PASSWORD", "label api.token", "command word 3", "history layer 5"
	Rule   string `json:"rule"`   // its name
	Length string `json:"length"` // about how long it is, in words
}

// plainPlace is a name that can be shown: one that holds a credential itself looks otherwise.
var plainPlace = regexp.MustCompile(`^[A-Za-z_][\w.\-/]{0,99}$`)

// Look finds credentials. Of each place one is named. The result is never nil.
func (d *Detector) Look(s Source) []Find {
	out := []Find{}
	keep := func(place string, hits []Hit) {
		if len(hits) > 0 {
			out = append(out, Find{Place: place, Rule: hits[0].Rule, Length: lengthClass(len(hits[0].Secret))})
		}
	}
	for i, entry := range s.Env {
		name, value, _ := strings.Cut(entry, "=")
		keep(d.place("env", name, i), d.Value(name, value))
	}
	for i, name := range slices.Sorted(maps.Keys(s.Labels)) {
		keep(d.place("label", name, i), d.Value(name, s.Labels[name]))
	}
	d.words("entrypoint", s.Entrypoint, keep)
	d.words("command", s.Cmd, keep)
	d.words("health check", s.Healthcheck, keep)
	for i, command := range s.History {
		keep(fmt.Sprintf("history layer %d", len(s.History)-i), d.Text(command))
	}
	return out
}

// place names a setting, by its number where its name must not be shown.
func (d *Detector) place(what, name string, n int) string {
	if !plainPlace.MatchString(name) || len(d.Text(name)) > 0 {
		return fmt.Sprintf("%s %d", what, n+1)
	}
	return what + " " + name
}

// words looks at a command line: at each word, and at what follows --password.
func (d *Detector) words(what string, words []string, keep func(string, []Hit)) {
	for i, word := range words {
		hits := d.Text(word)
		if i > 0 && len(hits) == 0 && !strings.HasPrefix(word, "-") {
			if before := words[i-1]; strings.HasPrefix(before, "-") && !strings.Contains(before, "=") && Named(strings.TrimLeft(before, "-"), word) {
				hits = []Hit{{Rule: RuleName, Secret: word}}
			}
		}
		keep(fmt.Sprintf("%s word %d", what, i+1), hits)
	}
}

// lengthClass says about how long a credential is.
func lengthClass(n int) string {
	for _, limit := range []int{64, 32, 16, 8} {
		if n >= limit {
			return fmt.Sprintf("at least %d characters", limit)
		}
	}
	return "under 8 characters"
}
