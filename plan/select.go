package plan

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Selection narrows a plan. The zero value selects everything.
type Selection struct {
	// Targets and Skip are targets as in [Resource.Match], or "control:ID" with a control's id or
	// benchmark number. A target that names nothing is an error, never "nothing to do".
	Targets, Skip []string
	// Only and SkipControls are control ids or benchmark numbers.
	Only, SkipControls []string
	// MaxRisk leaves out steps with a higher risk; empty: no limit.
	MaxRisk RiskLevel
	// Rules resolve benchmark numbers and short ids; Build fills them in.
	Rules map[string]Rule
}

// TargetError is a target or control that names nothing on this host.
type TargetError struct{ What, Name, Hint string }

// Error says what was not found and what there is.
func (e *TargetError) Error() string {
	text := fmt.Sprintf("unknown %s %q", e.What, e.Name)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Keeps returns the test that Build will put findings to. A caller that judges a host for a narrowed
// plan asks it first: what a control says may depend on which other changes will be made with its own.
func (s Selection) Keeps(resources []Resource, rules map[string]Rule) (func(Finding) bool, error) {
	known := make(map[Resource]bool, len(resources))
	for _, r := range resources {
		known[r] = true
	}
	s.Rules = rules
	return s.filter(known)
}

func (s Selection) filter(known map[Resource]bool) (func(Finding) bool, error) {
	targets, err := s.matchers(s.Targets, known)
	if err != nil {
		return nil, err
	}
	skip, err := s.matchers(s.Skip, known)
	if err != nil {
		return nil, err
	}
	only, err := s.controls(s.Only)
	if err != nil {
		return nil, err
	}
	without, err := s.controls(s.SkipControls)
	if err != nil {
		return nil, err
	}
	return func(f Finding) bool {
		hit := func(m func(Finding) bool) bool { return m(f) }
		return (len(targets) == 0 || slices.ContainsFunc(targets, hit)) && !slices.ContainsFunc(skip, hit) &&
			(len(only) == 0 || slices.Contains(only, f.Control)) && !slices.Contains(without, f.Control)
	}, nil
}

func (s Selection) matchers(patterns []string, known map[Resource]bool) ([]func(Finding) bool, error) {
	var out []func(Finding) bool
	for _, pattern := range patterns {
		if id, ok := strings.CutPrefix(pattern, "control:"); ok {
			ids, err := s.controls([]string{id})
			if err != nil {
				return nil, err
			}
			out = append(out, func(f Finding) bool { return slices.Contains(ids, f.Control) })
			continue
		}
		found := pattern == "host" || pattern == "daemon" || pattern == "swarm"
		for r := range known {
			ok, err := r.Match(pattern)
			if err != nil {
				return nil, err
			}
			found = found || ok
		}
		if !found {
			return nil, &TargetError{What: "target", Name: pattern, Hint: targetHint(known)}
		}
		out = append(out, func(f Finding) bool { ok, _ := f.Resource.Match(pattern); return ok })
	}
	return out, nil
}

func targetHint(known map[Resource]bool) string {
	var names []string
	for r := range known {
		names = append(names, r.String())
	}
	sort.Strings(names)
	const most = 8
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return "this host has " + strings.Join(names, ", ")
}

// controls resolves ids, short ids ("log-level") and benchmark numbers ("5.25", "cis-docker-1.2.0:5.25").
func (s Selection) controls(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		found := false
		for id, rule := range s.Rules {
			if id == name || strings.HasSuffix(id, "/"+name) || refersTo(rule, name) {
				out, found = append(out, id), true
			}
		}
		if !found {
			return nil, &TargetError{What: "control", Name: name, Hint: "docker-harden controls list shows all"}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func refersTo(rule Rule, name string) bool {
	for benchmark, number := range rule.Refs {
		if benchmark != "stride" && (number == name || benchmark+":"+number == name) {
			return true
		}
	}
	return false
}
