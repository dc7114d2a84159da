package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Work is what decides how a container works. What hardening changes is not in it, so that evidence outlives it, nor
// is the value of any variable.
type Work struct {
	Image       string   `json:"image"`
	Entrypoint  []string `json:"entrypoint"`
	Command     []string `json:"command"`
	User        string   `json:"user"`
	Variables   []string `json:"variables"`    // names
	Places      []string `json:"places"`       // of mounts in the container
	HostNetwork bool     `json:"host_network"` // decides which ports need a capability
}

// Digest is the SHA-256 of it, whatever order variables and places have.
func (w Work) Digest() string {
	w.Variables, w.Places = sorted(w.Variables), sorted(w.Places)
	text, err := json.Marshal(w)
	if err != nil { // texts and lists of texts only
		panic(fmt.Sprintf("evidence: cannot write a digest: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// ID is the beginning of the digest: what an answer that was learnt is remembered with.
func (w Work) ID() string {
	const digits = 16
	return w.Digest()[:digits]
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return out
}
