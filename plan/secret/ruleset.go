package secret

import (
	_ "embed"
	"fmt"

	"github.com/pelletier/go-toml/v2"
)

//go:embed gitleaks/gitleaks.toml
var gitleaks []byte

// ruleSet is a rule set ready for use.
type ruleSet struct {
	rules []*rule
	allow *allowlist // of all rules
	index index
}

// newRuleSet reads a configuration of gitleaks. Rules about files are left out: here there are none.
func newRuleSet(config []byte) *ruleSet {
	var file struct {
		Allowlist exceptions
		Rules     []settings
	}
	if err := toml.Unmarshal(config, &file); err != nil {
		// It is part of the program, and a test reads it.
		panic(fmt.Sprintf("internal error: cannot read the rules for secrets: %v", err))
	}
	s := &ruleSet{allow: &allowlist{exceptions: file.Allowlist}}
	for _, one := range file.Rules {
		if one.Regex != "" && one.Path == "" {
			s.index.add(one.Keywords, len(s.rules))
			s.rules = append(s.rules, newRule(one))
		}
	}
	return s
}
