package main

import (
	"strings"

	"docker-harden/plan/report"
)

// clean makes text that came from the host safe for a terminal, line by line.
func clean(text string) string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\t", "  "), "\n"), "\n")
	for i := range lines {
		lines[i] = report.Clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
