package inventory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"docker-harden/plan"
)

// maxSnapshot bounds a snapshot file; one container takes about 15 KiB.
const maxSnapshot = 256 << 20

// Save writes a snapshot of the host, with its secrets masked, that [Load] reads.
func (h *Host) Save(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(h.Redact()); err != nil {
		return fmt.Errorf("cannot write snapshot: %w", err)
	}
	return nil
}

// Load reads a snapshot; name is how errors call it. It refuses what is not a snapshot of exactly
// this version: a field it does not know could change a verdict.
func Load(r io.Reader, name string) (*Host, error) {
	bad := func(err error) error { return fmt.Errorf("cannot read snapshot %s: %w", name, err) }
	data, err := io.ReadAll(io.LimitReader(r, maxSnapshot+1))
	if err != nil {
		return nil, bad(err)
	}
	if len(data) > maxSnapshot {
		return nil, bad(fmt.Errorf("it is larger than %d MiB", maxSnapshot>>20))
	}
	if err := checkFormat(data); err != nil {
		return nil, bad(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	h := new(Host)
	if err := dec.Decode(h); err != nil {
		return nil, bad(err)
	}
	if err := h.restore(); err != nil {
		return nil, bad(err)
	}
	return h, nil
}

// checkFormat tells what is wrong with a file that is not a snapshot of this version.
func checkFormat(data []byte) error {
	if err := checkSyntax(data); err != nil {
		return fmt.Errorf("it is not a snapshot: %w", err)
	}
	var head struct {
		Format string          `json:"format"`
		SHA256 string          `json:"sha256"`
		Plan   json.RawMessage `json:"plan"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return errors.New("it is not a snapshot; make one with docker-harden snapshot")
	}
	switch {
	case head.Format == SnapshotFormat:
		return nil
	case head.Plan != nil && head.SHA256 != "":
		return errors.New("it is a saved plan, not a snapshot; show or apply it instead")
	case strings.HasPrefix(head.Format, "docker-harden/snapshot/"):
		return fmt.Errorf("its format is %q, this version reads %q; make the snapshot and the plan with the same version of docker-harden", head.Format, SnapshotFormat)
	}
	return errors.New("it is not a snapshot; make one with docker-harden snapshot")
}

// restore fills in what is not saved because it follows from the rest.
func (h *Host) restore() error {
	h.Snapshot = true
	seen := map[string]bool{}
	for i := range h.Containers {
		c := &h.Containers[i]
		if c.ID == "" || c.Name == "" || seen[c.ID] {
			return fmt.Errorf("container %d (%q): it has no name or id, or is there twice", i+1, c.Name)
		}
		seen[c.ID] = true
		if c.Problem != "" {
			continue
		}
		id, name := c.ID, c.Name
		if err := c.decode(); err != nil {
			return fmt.Errorf("container %q: %w", name, err)
		}
		if c.ID != id || c.Name != name {
			return fmt.Errorf("container %q: its inspect answer belongs to %q", name, c.Name)
		}
	}
	slices.SortFunc(h.Containers, func(a, b Container) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	if h.Images == nil {
		h.Images = map[string]Image{}
	}
	if h.Files == nil {
		h.Files = map[string]File{}
	}
	if h.Redacted && h.Bases == nil {
		h.Bases = map[string]plan.Basis{}
	}
	return nil
}
