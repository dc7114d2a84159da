package control

import (
	"strconv"
	"strings"
)

// ParseVersion reads the leading numbers of an engine's version ("20.10.24+dfsg1", "24.0.9-1");
// false when there is no major and minor number.
func ParseVersion(version string) (v [3]int, ok bool) {
	for i, part := range strings.SplitN(version, ".", len(v)) {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(part)
		}
		n, err := strconv.Atoi(part[:end])
		if err != nil {
			return v, i > 1
		}
		v[i], ok = n, i > 0
	}
	return v, ok
}
