package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// talker is a manager that only has a log.
type talker struct {
	Manager
	text string
	err  error
}

func (t talker) Logs(context.Context, time.Time) (string, error) { return t.text, t.err }

func TestLastWords(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for name, tt := range map[string]struct {
		manager talker
		want    string
	}{
		"nothing":     {talker{}, ""},
		"blank":       {talker{text: " \n\t\n"}, ""},
		"no log":      {talker{text: "x", err: errors.New("gone")}, ""},
		"last lines":  {talker{text: "1\n2\n3\n\n4\n5\n6\n7\n"}, "; the engine said: 2 | 3 | 4 | 5 | 6 | 7"},
		"credentials": {talker{text: "cannot reach http://me:hunter2@proxy:3128/ now"}, "; the engine said: cannot reach http://***@proxy:3128/ now"},
		"long line":   {talker{text: long}, "; the engine said: " + long[:400]},
	} {
		t.Run(name, func(t *testing.T) {
			got := LastWords(tt.manager, time.Time{})
			if got != tt.want || !utf8.ValidString(got) {
				t.Errorf("LastWords = %q, want %q", got, tt.want)
			}
		})
	}
}
