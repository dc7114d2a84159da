package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// exceptionWords completes the target and then the control of an exception: for remove, those of the profile.
func (a *app) exceptionWords(ctx context.Context, p parser) []candidate {
	switch {
	case len(p.args) > 1:
		return nil
	case p.words() == "exception remove":
		return a.exceptedWords(p)
	case len(p.args) == 1:
		return controlCandidates()
	}
	return slices.DeleteFunc(a.targets(ctx, p), func(c candidate) bool { return strings.HasPrefix(c.word, "project/") })
}

// exceptedWords are targets in the profile; behind a target, the controls that it is excepted from.
func (a *app) exceptedWords(p parser) []candidate {
	f, err := openProfile(cmp.Or(given(p, "profile"), a.getenv("DOCKER_HARDEN_PROFILE"), profileFlag().Value))
	if err != nil {
		return nil
	}
	var out []candidate
	for _, e := range f.Exceptions {
		switch {
		case len(p.args) == 0:
			out = append(out, candidate{e.Target, e.Reason})
		case p.args[0] == e.Target:
			out = append(out, candidate{e.Control, e.Reason})
		}
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return strings.Compare(a.word, b.word) })
	return slices.CompactFunc(out, func(a, b candidate) bool { return a.word == b.word })
}
