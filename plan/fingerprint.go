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

// Fingerprint hashes the whole basis.
func (b Basis) Fingerprint() Fingerprint { return FingerprintOf(b) }

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
