package control

import (
	"maps"

	"docker-harden/plan"
	"docker-harden/plan/profile"
)

// Rules are the controls in words, by id, as a plan carries them.
func Rules(controls []Control) map[string]plan.Rule {
	rules := make(map[string]plan.Rule, len(controls))
	for _, c := range controls {
		rules[c.ID] = plan.Rule{ID: c.ID, Title: c.Title, Why: c.Why, Risk: c.Risk, Refs: maps.Clone(c.Refs)}
	}
	return rules
}

// Catalog lists the parameters of the controls by id, for the profile loader.
func Catalog(controls []Control) profile.Catalog {
	catalog := make(profile.Catalog, len(controls))
	for _, c := range controls {
		catalog[c.ID] = c.Params
	}
	return catalog
}
