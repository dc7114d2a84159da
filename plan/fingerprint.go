package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
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

// Fingerprint hashes the whole basis, as [FingerprintOf] does.
func (b Basis) Fingerprint() Fingerprint {
	sum, _ := b.fingerprint(nil)
	return sum
}

// fingerprint is that of a basis, and the sorted fields it has. A plan hashes one a step, and most
// have the same fields: like are those of another basis, which spare sorting them again. For the same
// reason it writes the JSON itself, where that is only quoting.
func (b Basis) fingerprint(like []string) (sum Fingerprint, fields []string) {
	if len(b) == 0 {
		return FingerprintOf(b), nil
	}
	text, ok := b.json(like)
	if !ok {
		like = slices.Sorted(maps.Keys(b))
		if text, ok = b.json(like); !ok {
			return FingerprintOf(b), like
		}
	}
	return fingerprint(text), like
}

// json writes a basis that has exactly the given fields; false when it has not, or has others than
// plain texts.
func (b Basis) json(fields []string) ([]byte, bool) {
	if len(fields) != len(b) {
		return nil, false
	}
	const usual = 64 // bytes of a field
	text := make([]byte, 0, usual*len(b))
	for i, field := range fields {
		value, ok := b[field]
		if !ok || !plainText(field) || !plainText(value) {
			return nil, false
		}
		text = append(text, `{,`[min(i, 1)])
		text = append(append(append(text, '"'), field...), `":"`...)
		text = append(append(text, value...), '"')
	}
	return append(text, '}'), true
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
