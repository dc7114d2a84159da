package secret

import (
	"slices"
	"strings"
	"sync"
)

// mask stands where a credential was.
const mask = "***"

// Hit is a credential in a text. Secret must not be shown to anybody.
type Hit struct {
	Rule   string
	Secret string
}

// Detector applies the rules. It remembers what it found in which text, because most containers say the same as
// others. It may be used by several goroutines at once.
type Detector struct {
	load   sync.Once
	set    *ruleSet
	texts  sync.Map // text to []Hit
	values sync.Map // NAME=VALUE to []Hit
}

// New makes a detector. Its rules are read when they are first needed.
func New() *Detector { return new(Detector) }

// Text finds the credentials in any text: by what they look like, and by the names that values are assigned to.
func (d *Detector) Text(text string) []Hit {
	if len(text) < shortest {
		return nil
	}
	if hits, ok := d.texts.Load(text); ok {
		return hits.([]Hit)
	}
	hits := once(slices.Concat(d.patterns(text, false), inURLs(text), assigned(text)))
	d.texts.Store(text, hits)
	return hits
}

// once names each credential once, by the rule that knows most of it.
func once(hits []Hit) []Hit {
	if len(hits) < 2 {
		return hits
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return generality(a.Rule) - generality(b.Rule) })
	var out []Hit
	for _, h := range hits {
		if !slices.ContainsFunc(out, func(known Hit) bool { return known.Secret == h.Secret }) {
			out = append(out, h)
		}
	}
	return out
}

// Value finds the credential that a named value is or holds: NAME=VALUE of an environment, a label. The name decides
// before the looks of the value do, except where these say what it is the key to.
func (d *Detector) Value(name, value string) []Hit {
	text := name + "=" + value
	if hits, ok := d.values.Load(text); ok {
		return hits.([]Hit)
	}
	hits := d.value(name, value, text)
	d.values.Store(text, hits)
	return hits
}

func (d *Detector) value(name, value, text string) []Hit {
	if value == "" || isReference(value) || publicName.MatchString(name) {
		return nil
	}
	named := Named(name, value)
	hits := append(d.patterns(text, named), inURLs(value)...)
	switch {
	case len(hits) == 0 && named:
		return []Hit{{Rule: RuleName, Secret: value}}
	case !named:
		hits = append(hits, assigned(value)...)
	}
	return once(hits)
}

// Mask hides every credential of a text.
func (d *Detector) Mask(text string) string {
	for _, hit := range d.Text(text) {
		text = strings.ReplaceAll(text, hit.Secret, mask)
	}
	return text
}

// patterns applies the rule set. named: the name says already what the generic rule would find out.
func (d *Detector) patterns(text string, named bool) []Hit {
	d.load.Do(func() { d.set = newRuleSet(gitleaks) })
	var hits []Hit
	for _, n := range d.set.index.rules(text) {
		r := d.set.rules[n]
		if named && r.ID == genericRule {
			continue
		}
		for _, secret := range r.find(text, d.set.allow) {
			hits = append(hits, Hit{Rule: r.ID, Secret: secret})
		}
	}
	return hits
}

func generality(rule string) int {
	if rule == genericRule {
		return 1
	}
	return 0
}
