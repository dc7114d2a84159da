package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
)

// Basis is the configuration of a resource as hashes by field, never its run state: two
// observations of an unchanged resource have equal bases, also after a restart. False: the resource
// was not found or could not be read.
func (h *Host) Basis(r plan.Resource) (plan.Basis, bool) {
	if h.Redacted {
		basis, ok := h.Bases[basisKey(r)]
		return basis, ok
	}
	switch r.Kind {
	case plan.ResourceDaemon:
		return h.Daemon.basis(), h.Engine.Local
	case plan.ResourceFile:
		file, ok := h.Files[r.Name]
		return file.basis(), ok
	case plan.ResourceContainer:
		for i := range h.Containers {
			c := &h.Containers[i]
			if c.Problem == "" && (c.ID == r.ID || r.ID == "" && c.Name == r.Name) {
				basis, err := c.basis()
				return basis, err == nil
			}
		}
	}
	return nil, false
}

// Find returns the container with a name, a full id or the beginning of exactly one id; nil if
// there is none.
func (h *Host) Find(name string) *Container {
	name = strings.TrimPrefix(name, "/")
	var match *Container
	for i := range h.Containers {
		c := &h.Containers[i]
		if c.Name == name || c.ID == name {
			return c
		}
	}
	const shortest = 4
	for i := range h.Containers {
		c := &h.Containers[i]
		if len(name) < shortest || !strings.HasPrefix(c.ID, name) {
			continue
		}
		if match != nil {
			return nil
		}
		match = c
	}
	return match
}

// basisKey is where a resource's basis is kept in [Host.Bases].
func basisKey(r plan.Resource) string {
	if r.Kind == plan.ResourceContainer && r.ID != "" {
		return string(r.Kind) + "/" + r.ID
	}
	return r.String()
}

func (d *Daemon) basis() plan.Basis {
	content := "absent"
	if d.Config.Exists {
		content = first(d.Config.SHA256, "unreadable")
	}
	return plan.Basis{
		"config path": d.ConfigPath, "resolved": d.Resolved, "content": content, "exe": d.Exe,
		"next argv": shortHash("daemon", "next argv", []byte(strings.Join(d.NextArgv, "\x00"))),
	}
}

func (f File) basis() plan.Basis {
	if !f.Exists {
		return plan.Basis{"exists": "false"}
	}
	return plan.Basis{
		"exists": "true", "uid": strconv.Itoa(f.UID), "gid": strconv.Itoa(f.GID), "mode": fmt.Sprintf("%04o", unixMode(f.Mode)),
	}
}

// stateful are fields of the configuration in which the engine writes run state: the address of a
// container whose address was not chosen is there only while it runs.
var stateful = map[string]bool{"Config.MacAddress": true}

// basis hashes every field of a container's configuration for itself, with its id and the field as
// salt, so that equal secrets of two containers do not show.
func (c *Container) basis() (plan.Basis, error) {
	var answer struct {
		Image           string
		Config          map[string]json.RawMessage
		HostConfig      map[string]json.RawMessage
		NetworkSettings struct{ Networks map[string]endpoint }
	}
	if err := json.Unmarshal(c.Raw, &answer); err != nil {
		return nil, fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	basis := plan.Basis{"Name": c.Name, "Image": answer.Image}
	for prefix, fields := range map[string]map[string]json.RawMessage{"Config.": answer.Config, "HostConfig.": answer.HostConfig} {
		for name, raw := range fields {
			name = prefix + name
			if string(raw) == "null" || stateful[name] {
				continue // the engine leaves out or nulls what is not set, differently by version
			}
			value, err := canonical(raw)
			if err != nil {
				return nil, err
			}
			basis[name] = shortHash(c.ID, name, value)
		}
	}
	mounts := make([]Mount, len(c.Inspect.Mounts))
	for i, m := range c.Inspect.Mounts {
		m.Mode = "" // differs between equal mounts
		if m.Type == "volume" {
			m.Source = "" // some drivers show it only while the volume is mounted
		}
		mounts[i] = m
	}
	basis["Mounts"] = hashOf(c.ID, "Mounts", mounts)
	for name, e := range answer.NetworkSettings.Networks {
		field := "Networks." + name
		basis[field] = hashOf(c.ID, field, e.chosen(c))
	}
	return basis, nil
}

// endpoint is what a person chose of a container's place in a network.
type endpoint struct {
	IPAMConfig map[string]any `json:",omitempty"`
	Links      []string       `json:",omitempty"`
	Aliases    []string       `json:",omitempty"`
	DriverOpts map[string]any `json:",omitempty"`
	GwPriority json.Number    `json:",omitempty"`
}

// chosen drops the aliases that older engines add themselves, and orders the rest.
func (e endpoint) chosen(c *Container) endpoint {
	const short = 12
	e.Aliases = slices.DeleteFunc(slices.Clone(e.Aliases), func(alias string) bool {
		return alias == c.Inspect.Config.Hostname || len(alias) == short && strings.HasPrefix(c.ID, alias)
	})
	slices.Sort(e.Aliases)
	e.Aliases = slices.Compact(e.Aliases)
	slices.Sort(e.Links)
	if e.GwPriority == "0" {
		e.GwPriority = ""
	}
	return e
}

// canonical is JSON with sorted keys and no space, so that equal values have equal bytes.
func canonical(raw json.RawMessage) ([]byte, error) {
	if len(raw) > 0 && raw[0] != '{' && raw[0] != '[' {
		return raw, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	out, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("internal error: cannot write JSON: %w", err)
	}
	return out, nil
}

func hashOf(salt, field string, value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("internal error: cannot hash %T: %v", value, err))
	}
	return shortHash(salt, field, raw)
}

// shortHash is enough to see a change and too short to be of use for anything else.
func shortHash(salt, field string, value []byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", salt, field)
	sum.Write(value)
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
