package container

import (
	"regexp"
	"slices"
	"strings"
)

// maxLogLine bounds a log line that goes into an error.
const maxLogLine = 200

// hidden stands for what may be a secret.
const hidden = "***"

var (
	secretName = regexp.MustCompile(`(?i)pass|secret|token|key|pwd|cred|auth|dsn|url|uri`)
	inURL      = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)
	assigned   = regexp.MustCompile(`(?i)((?:pass(?:word|wd)?|secret|token|pwd|api_?key|authorization)["']?\s*[:=]\s*)\S+(?:\s+\S+)?`)
)

// printable makes a line of a container's log fit for an error, which a journal keeps and a person
// reads: values of its environment and what looks like a password are masked.
func (c *state) printable(line string) string {
	for _, env := range slices.Concat(c.Config.Env, c.had) {
		name, value, _ := strings.Cut(env, "=")
		const short, long = 3, 8 // shorter values are everyday words
		if len(value) >= long && value[0] != '/' || len(value) >= short && secretName.MatchString(name) {
			line = strings.ReplaceAll(line, value, hidden)
		}
	}
	line = inURL.ReplaceAllString(line, "${1}"+hidden+"@")
	line = assigned.ReplaceAllString(line, "${1}"+hidden)
	return clean(line, maxLogLine)
}
