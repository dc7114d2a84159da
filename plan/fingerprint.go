package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Fingerprint is a hash of a resource's configuration, never of its run state: a container that
// restarted has the same fingerprint, one that was updated or recreated has another.
type Fingerprint string

// FingerprintOf hashes the JSON form of v. Maps are hashed with sorted keys, so equal values have
// equal fingerprints. It panics only if v cannot be marshalled, which is a bug of the caller.
func FingerprintOf(v any) Fingerprint {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("internal error: cannot fingerprint %T: %v", v, err))
	}
	return fingerprint(raw)
}

func fingerprint(raw []byte) Fingerprint {
	sum := sha256.Sum256(raw)
	return Fingerprint("sha256:" + hex.EncodeToString(sum[:]))
}

// Short is the first twelve digits, for people.
func (f Fingerprint) Short() string {
	const prefix, digits = len("sha256:"), 12
	if len(f) < prefix+digits {
		return string(f)
	}
	return string(f[prefix : prefix+digits])
}

// Basis is the configuration of a resource as short hashes by field ("HostConfig.Memory",
// "Image", "content"). Values that are no secret may stand in clear.
type Basis map[string]string

// Fingerprint hashes the whole basis, as [FingerprintOf] does. A plan hashes one a step, so it writes
// the JSON itself where that is only quoting.
func (b Basis) Fingerprint() Fingerprint {
	fields := make([]string, 0, len(b))
	for field, value := range b {
		if !plainText(field) || !plainText(value) {
			return FingerprintOf(b)
		}
		fields = append(fields, field)
	}
	slices.Sort(fields)
	const usual = 64 // bytes of a field
	text := make([]byte, 0, usual*len(b))
	for i, field := range fields {
		text = append(text, `{,`[min(i, 1)])
		text = append(append(append(text, '"'), field...), `":"`...)
		text = append(append(text, b[field]...), '"')
	}
	if len(fields) == 0 {
		return FingerprintOf(b)
	}
	return fingerprint(append(text, '}'))
}

// plainText reports whether a text stands in JSON as it is.
func plainText(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// Moved lists the fields that differ between two bases, sorted.
func (b Basis) Moved(now Basis) []string {
	var moved []string
	for field, value := range b {
		if other, ok := now[field]; !ok || other != value {
			moved = append(moved, field)
		}
	}
	for field := range now {
		if _, ok := b[field]; !ok {
			moved = append(moved, field)
		}
	}
	slices.Sort(moved)
	return moved
}
