package secret

import (
	"regexp"
	"strings"
)

// The rules of this package's own.
const (
	// RuleName is the convention that a setting called *_PASSWORD, *_TOKEN, *_SECRET or *_KEY is a credential.
	RuleName = "credential-by-name"
	// RuleURL is a password in an address: scheme://user:password@host.
	RuleURL = "password-in-url"
	// genericRule is the one of the rule set that knows least of what it finds.
	genericRule = "generic-api-key"
)

// shortest is the length below which no text can hold a name and a value.
const shortest = 3

// credentialName finds names of credentials by convention.
var credentialName = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|credentials?|(api|access|secret|private)key)$|(^|[_.\-/])(pass|pwd|key)$`)

// publicName are names that end like one and hold what everybody may know.
var publicName = regexp.MustCompile(`(?i)(^|[_.\-/])(public|pub|gpg|pgp|authorized|known|host|primary|foreign|partition|cache|sort|route|routing)[_.\-]?keys?$|^(old)?pwd$`)

// harmlessValue is a switch, or the place where the credential lies, instead of the credential.
var harmlessValue = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|[01]|none|null|nil|disabled|enabled)$|^/(bin|etc|home|opt|tmp|usr|var|run|srv|root|mnt|data|secrets|certs|keys)/[\w ./-]+$|^(file|vault|secret|arn):`)

// assignment finds NAME=VALUE and --name=VALUE in a command.
var assignment = regexp.MustCompile(`(?:^|[\s;&|"'(])-{0,2}([A-Za-z_][\w.-]*)=("[^"]*"|'[^']*'|[^\s"';&|)]+)`)

// option finds --name VALUE in a command. What starts with a dash is the next option and no value.
var option = regexp.MustCompile(`(?:^|[\s;&|"'(])--?([A-Za-z][\w.-]*)\s+("[^"]*"|'[^']*'|[^\s"';&|)-][^\s"';&|)]*)`)

// urlPassword finds the password in an address.
var urlPassword = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*:([^\s/@"']+)@`)

// Named reports whether a setting is a credential by its name and has a value.
func Named(name, value string) bool {
	return value != "" && credentialName.MatchString(name) && !publicName.MatchString(name) &&
		!harmlessValue.MatchString(value) && !isReference(value)
}

// isReference reports whether a value names a variable that will stand in its place.
func isReference(value string) bool {
	return strings.HasPrefix(value, "$") || strings.HasPrefix(value, "{{") || strings.HasPrefix(value, "`")
}

// assigned finds values by the names that a command assigns them to.
func assigned(text string) []Hit {
	var hits []Hit
	for _, how := range []struct {
		mark string // without it there is nothing to find
		find *regexp.Regexp
	}{{"=", assignment}, {"-", option}} {
		if !strings.Contains(text, how.mark) {
			continue
		}
		for _, m := range how.find.FindAllStringSubmatch(text, -1) {
			if value := strings.Trim(m[2], `"'`); Named(m[1], value) {
				hits = append(hits, Hit{Rule: RuleName, Secret: value})
			}
		}
	}
	return hits
}

// inURLs finds passwords in addresses.
func inURLs(text string) []Hit {
	if !strings.Contains(text, "://") || !strings.Contains(text, "@") {
		return nil
	}
	var hits []Hit
	for _, m := range urlPassword.FindAllStringSubmatch(text, -1) {
		if !isReference(m[1]) && m[1] != mask {
			hits = append(hits, Hit{Rule: RuleURL, Secret: m[1]})
		}
	}
	return hits
}
