package host

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// credentials are the user and password of an address, as in proxies with a login.
var credentials = regexp.MustCompile(`://[^/\s@\[\]]+@`)

// WithoutCredentials masks the logins of addresses in a text.
func WithoutCredentials(text string) string { return credentials.ReplaceAllString(text, "://***@") }

// LastWords is the end of what the engine wrote since a time, as the end of an error message; empty when it
// wrote nothing. Logins are masked. It is not safe for a terminal yet.
func LastWords(m Manager, since time.Time) string {
	const patience, lines, width = 5 * time.Second, 6, 400
	// The reason to ask is often that the caller's own time is over.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text, err := m.Logs(ctx, since)
	if err != nil {
		return ""
	}
	all := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(all) == 0 {
		return ""
	}
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		line = WithoutCredentials(strings.TrimSpace(line))
		cut := min(width, len(line))
		for cut < len(line) && !utf8.RuneStart(line[cut]) {
			cut--
		}
		all[i] = line[:cut]
	}
	return "; the engine said: " + strings.Join(all, " | ")
}
