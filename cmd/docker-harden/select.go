package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
)

// composeProject is the label by which Compose marks its containers.
const composeProject = "com.docker.compose.project"

// selection is what the arguments and flags narrow a plan to.
func selection(c *cli.Context, h *inventory.Host, args []string, rules []control.Control) (plan.Selection, error) {
	s, err := named(c, h, args)
	least := plan.RiskLevel(c.String("severity"))
	for _, rule := range rules {
		if rule.Severity.Rank() < least.Rank() {
			s.SkipControls = append(s.SkipControls, rule.ID)
		}
	}
	return s, err
}

// named is what is selected by name, whatever its severity.
func named(c *cli.Context, h *inventory.Host, args []string) (plan.Selection, error) {
	targets, err := expand(h, append(slices.Clone(args), c.StringSlice("target")...))
	if err != nil {
		return plan.Selection{}, err
	}
	var skipTargets, skipControls []string
	for _, s := range c.StringSlice("skip") {
		if isTarget(s) {
			skipTargets = append(skipTargets, s)
		} else {
			skipControls = append(skipControls, s)
		}
	}
	skipTargets, err = expand(h, skipTargets)
	if err != nil {
		return plan.Selection{}, err
	}
	return plan.Selection{
		Targets: targets, Skip: skipTargets, Only: c.StringSlice("only"), SkipControls: skipControls,
		MaxRisk: plan.RiskLevel(c.String("max-risk")),
	}, nil
}

// isTarget tells a target from a control: --skip takes both.
func isTarget(word string) bool {
	kind, _, found := strings.Cut(word, "/")
	switch kind {
	case "daemon", "host", "swarm":
		return true
	case "container", "project", "image":
		return found
	}
	return strings.HasPrefix(word, "control:")
}

// expand replaces project/NAME and image/REF by their containers; the other targets the planner knows.
func expand(h *inventory.Host, targets []string) ([]string, error) {
	var out []string
	for _, t := range targets {
		kind, name, _ := strings.Cut(t, "/")
		var in func(*inventory.Container) (bool, error)
		switch kind {
		case "project":
			in = func(c *inventory.Container) (bool, error) {
				return path.Match(name, c.Inspect.Config.Labels[composeProject])
			}
		case "image":
			in = func(c *inventory.Container) (bool, error) { return ofImage(h, c, name) }
		case "daemon", "host", "swarm", "container":
			out = append(out, t)
			continue
		default:
			if !strings.HasPrefix(t, "control:") {
				return nil, badTarget(h, t)
			}
			out = append(out, t)
			continue
		}
		found, err := members(h, in)
		if err != nil {
			return nil, usagef("cannot read target %q: %v", t, err)
		}
		if len(found) == 0 {
			return nil, &plan.TargetError{What: "target", Name: t, Hint: fmt.Sprintf("no container on this host belongs to it; it has %d", len(h.Containers))}
		}
		out = append(out, found...)
	}
	return out, nil
}

// expandIn is expand for a saved plan: of a project or image, the containers that the plan changes.
func expandIn(p *plan.Plan, h *inventory.Host, targets []string) ([]string, error) {
	var out []string
	for _, t := range targets {
		some, err := expand(h, []string{t})
		if err != nil {
			return nil, err
		}
		if kind, _, _ := strings.Cut(t, "/"); kind == "project" || kind == "image" {
			all := some
			some = slices.DeleteFunc(slices.Clone(all), func(id string) bool { _, ok := p.Step(id); return !ok })
			if err := together(p, t, all, some); err != nil {
				return nil, err
			}
		}
		out = append(out, some...)
	}
	return out, nil
}

// together refuses a project or image that has containers which a step takes along, and not the one that
// the step is for.
func together(p *plan.Plan, target string, all, steps []string) error {
	for _, id := range all {
		if s, ok := p.MemberOf(id); ok && !slices.Contains(steps, s.ID) {
			return &plan.TargetError{What: "target", Name: target, Hint: fmt.Sprintf("%s goes along with %s, to which it is bound; name that one too", id, s.ID)}
		}
	}
	if len(steps) == 0 {
		return &plan.TargetError{What: "target", Name: target, Hint: "the plan has no step for it"}
	}
	return nil
}

func members(h *inventory.Host, in func(*inventory.Container) (bool, error)) ([]string, error) {
	var out []string
	for i := range h.Containers {
		ok, err := in(&h.Containers[i])
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, h.Containers[i].Resource().String())
		}
	}
	return out, nil
}

// ofImage reports whether a container was made from the image: by the reference it was made with,
// by a tag of its image (":latest" may be left out), or by the image's id or the start of it.
func ofImage(h *inventory.Host, c *inventory.Container, ref string) (bool, error) {
	names := append([]string{c.Inspect.Config.Image}, h.Images[c.Inspect.Image].RepoTags...)
	for _, name := range names {
		for _, n := range []string{name, strings.TrimSuffix(name, ":latest")} {
			if n == ref {
				return true, nil
			}
			ok, err := path.Match(ref, n)
			if err != nil || ok {
				return ok, err
			}
		}
	}
	const shortID = 12
	id := strings.TrimPrefix(c.Inspect.Image, "sha256:")
	return len(ref) >= shortID && strings.HasPrefix(id, strings.TrimPrefix(ref, "sha256:")), nil
}

// badTarget explains the kinds of targets; a bare container name is the usual slip.
func badTarget(h *inventory.Host, word string) error {
	for i := range h.Containers {
		if h.Containers[i].Name == word {
			return usagef("unknown target %q: write container/%s", word, word)
		}
	}
	return usagef("unknown target %q: write daemon, host, swarm, container/NAME, project/NAME, image/REF or control:ID", word)
}

// matchControls finds the controls that a word means: an id, the end of one, or a benchmark number.
func matchControls(rules []control.Control, word string) ([]control.Control, error) {
	word = strings.TrimPrefix(word, "control:")
	var found []control.Control
	var ids []string
	for _, rule := range rules {
		hit := rule.ID == word || strings.HasSuffix(rule.ID, "/"+word)
		for benchmark, number := range rule.Refs {
			hit = hit || benchmark != "stride" && (number == word || benchmark+":"+number == word)
		}
		if hit {
			found = append(found, rule)
		}
		ids = append(ids, rule.ID, rule.ID[strings.LastIndexByte(rule.ID, '/')+1:])
	}
	if len(found) == 0 {
		return nil, usagef("unknown control %q%s; %s controls list shows all", word, didYouMean(word, ids), program)
	}
	return found, nil
}

func controlCandidates() []candidate {
	var out []candidate
	for _, rule := range rulebook() {
		out = append(out, candidate{rule.ID, rule.Title})
	}
	return out
}
