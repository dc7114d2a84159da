package main

import (
	"strings"
	"testing"
)

// What cannot be watched is refused before anything is looked at.
func TestApplyWatchRefused(t *testing.T) {
	for words, want := range map[string]string{
		"--watch 0s":              "--watch takes a time above 0",
		"--watch=-1m":             "--watch takes a time above 0",
		"--watch soon":            "watch",
		"--watch 1m --confirm 1m": "use either --watch or --confirm",
	} {
		args := append([]string{"apply", "-y", "-H", "unix:///nonexistent.sock", "--state-dir", t.TempDir()}, strings.Fields(words)...)
		if code, out, errs := runApp(t, args...); code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %q", words, code, errs)
		}
	}
}
