package inventory

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzText feeds everything that reads text made by others: none may panic or hang.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"", "--log-level=warn -Dl x -H", `"a b" \x41 $X ${Y} $$`, "A=\"x\\\ny\"\n#c\nB='", "1 (x) S 2 3", debianUnit, v1Mounts, status(1, "0", "0", "1"),
		`{"proxies":{"http-proxy":"http://u:p@h"},"a":[{"token":"\"x\\"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ParseFlags(strings.Fields(text))
		maskArgs(strings.Split(text, "\x00"))
		if words, err := splitWords(text); err == nil {
			_, _ = expandWords(words, map[string]string{"X": "a 'b", "Y": "c d"})
		}
		parseEnvironment(text, map[string]string{})
		_, _ = parseStat([]byte(text))
		_, _ = parseStatus([]byte(text))
		parseMounts([]byte(text))
		masked := maskConfig([]byte(text))
		if json.Valid([]byte(text)) && masked != nil && !json.Valid(masked) {
			t.Errorf("masking %q made it invalid: %q", text, masked)
		}
		s := &service{unit: "docker.service"}
		if s.merge("x", []byte(text)) == nil {
			_, _ = s.commandLine(nil)
		}
	})
}
