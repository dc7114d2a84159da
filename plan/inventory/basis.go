package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
)

// Basis is the configuration of a resource as hashes by field, never its run state: two
// observations of an unchanged resource have equal bases, also after a restart. False: the resource
// was not found or could not be read. It may be called from several goroutines.
func (h *Host) Basis(r plan.Resource) (plan.Basis, bool) {
	if h.Redacted {
		basis, ok := h.Bases[basisKey(r)]
		return basis, ok
	}
	switch r.Kind {
	case plan.ResourceDaemon:
		return h.Daemon.basis(), h.Engine.Local
	case plan.ResourceSwarm:
		return h.Engine.Cluster.basis()
	case plan.ResourceFile:
		if r.Name == AuditRulesFile {
			return h.auditBasis()
		}
		if r.Name == GroupFile {
			return h.Group.basis()
		}
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
	next, _ := shortHash(nil, "daemon", "next argv", strings.Join(d.NextArgv, "\x00"))
	return plan.Basis{
		"config path": d.ConfigPath, "resolved": d.Resolved, "content": content, "exe": d.Exe,
		"next argv": next,
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

// basis hashes every field of a container's configuration that is set for itself, with its id and the
// field as salt, so that equal secrets of two containers do not show. It walks the answer's text: decoding
// it would take most of the time of making a plan.
func (c *Container) basis() (plan.Basis, error) {
	if c.made == nil && !gjson.ValidBytes(c.Raw) { // walking it has shown that it is valid
		return nil, errors.New("cannot read the engine's answer: it is not JSON")
	}
	var image, config, hostConfig, networks gjson.Result
	gjson.ParseBytes(c.Raw).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "Image":
			image = value
		case "Config":
			config = value
		case "HostConfig":
			hostConfig = value
		case "NetworkSettings":
			networks = value.Get("Networks")
		}
		return true
	})
	const usual = 48 // fields
	h := hasher{id: c.ID, basis: make(plan.Basis, usual)}
	h.basis["Name"], h.basis["Image"] = c.Name, image.Str
	if err := errors.Join(h.fields("Config.", config), h.fields("HostConfig.", hostConfig)); err != nil {
		return nil, err
	}
	mounts := make([]Mount, len(c.Inspect.Mounts))
	for i, m := range c.Inspect.Mounts {
		m.Mode = "" // differs between equal mounts
		if m.Type == "volume" {
			m.Source = "" // some drivers show it only while the volume is mounted
		}
		mounts[i] = m
	}
	h.add("Mounts", jsonOf(mounts))
	return h.basis, h.networks(c, networks)
}

// hasher makes the basis of one container.
type hasher struct {
	id    string
	basis plan.Basis
	text  []byte // what was hashed last; kept for its memory
}

// fields hashes the members of an object.
func (h *hasher) fields(prefix string, object gjson.Result) error {
	if object.Exists() && object.Type != gjson.Null && !object.IsObject() {
		return fmt.Errorf("cannot read the engine's answer: %s is no object", strings.TrimSuffix(prefix, "."))
	}
	var err error
	object.ForEach(func(key, value gjson.Result) bool {
		if empty(value.Raw) {
			return true
		}
		name := prefix + key.Str
		if stateful[name] {
			return true
		}
		var text string
		if text, err = canonical(value); err == nil && !empty(text) { // it may have had space in it
			h.add(name, text)
		}
		return err == nil
	})
	return err
}

// empty reports whether a field is not set. The engine leaves such fields out, writes null or writes
// nothing in them, differently by version; most of a container's fields are of this kind.
func empty(raw string) bool {
	switch raw {
	case "null", "0", "false", `""`, "[]", "{}":
		return true
	}
	return false
}

// networks hashes what a person chose of the container's place in each network.
func (h *hasher) networks(c *Container, networks gjson.Result) error {
	var err error
	networks.ForEach(func(name, value gjson.Result) bool {
		var e endpoint
		if nothingChosen(value) {
			h.add("Networks."+name.Str, "{}")
			return true
		}
		if err = json.Unmarshal([]byte(value.Raw), &e); err != nil {
			err = fmt.Errorf("cannot read the engine's answer: %w", err)
			return false
		}
		h.add("Networks."+name.Str, jsonOf(e.chosen(c)))
		return true
	})
	return err
}

func (h *hasher) add(field, value string) {
	h.basis[field], h.text = shortHash(h.text, h.id, field, value)
}

// endpoint is what a person chose of a container's place in a network.
type endpoint struct {
	IPAMConfig map[string]any `json:",omitempty"`
	Links      []string       `json:",omitempty"`
	Aliases    []string       `json:",omitempty"`
	DriverOpts map[string]any `json:",omitempty"`
	GwPriority json.Number    `json:",omitempty"`
}

// nothingChosen reports whether an endpoint surely has none of the fields of type endpoint set.
func nothingChosen(value gjson.Result) bool {
	none := value.IsObject()
	value.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "IPAMConfig", "Links", "Aliases", "DriverOpts":
			none = none && value.Type == gjson.Null
		case "GwPriority":
			none = none && value.Raw == "0"
		}
		return none
	})
	return none
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

// canonical is JSON with sorted keys and no space, so that equal values have equal text.
func canonical(value gjson.Result) (string, error) {
	if !value.IsObject() && !value.IsArray() {
		return value.Raw, nil
	}
	if out, ok := appendCanonical(nil, value); ok {
		return string(out), nil
	}
	dec := json.NewDecoder(strings.NewReader(value.Raw))
	dec.UseNumber()
	var decoded any
	if err := dec.Decode(&decoded); err != nil {
		return "", fmt.Errorf("cannot read the engine's answer: %w", err)
	}
	return jsonOf(decoded), nil
}

// appendCanonical appends the canonical form of a valid value. false: only decoding it can tell,
// because it has a text that can be written in several ways, or a key twice.
func appendCanonical(out []byte, value gjson.Result) (_ []byte, ok bool) {
	switch {
	case value.IsObject():
		return appendObject(out, value)
	case value.IsArray():
		out, ok = append(out, '['), true
		value.ForEach(func(_, item gjson.Result) bool {
			if out[len(out)-1] != '[' {
				out = append(out, ',')
			}
			out, ok = appendCanonical(out, item)
			return ok
		})
		return append(out, ']'), ok
	}
	return append(out, value.Raw...), isPlain(value.Raw)
}

func appendObject(out []byte, object gjson.Result) (_ []byte, ok bool) {
	type member struct{ key, value gjson.Result }
	var members []member
	object.ForEach(func(key, value gjson.Result) bool {
		members = append(members, member{key, value})
		return true
	})
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.key.Str, b.key.Str) })
	out = append(out, '{')
	for i, m := range members {
		if !isPlain(m.key.Raw) || i > 0 && m.key.Str == members[i-1].key.Str {
			return out, false
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, m.key.Raw...), ':')
		if out, ok = appendCanonical(out, m.value); !ok {
			return out, false
		}
	}
	return append(out, '}'), true
}

// isPlain reports whether every way of writing JSON writes a scalar as it stands here.
func isPlain(raw string) bool {
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '\\', b == '<', b == '>', b == '&', b >= utf8.RuneSelf:
			return false
		}
	}
	return true
}

func jsonOf(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("internal error: cannot hash %T: %v", value, err))
	}
	return string(raw)
}

// shortHash is enough to see a change and too short to be of use for anything else. It writes what
// it hashes into buf, which may be nil, and gives that back for the next call.
func shortHash(buf []byte, salt, field, value string) (hash string, used []byte) {
	buf = append(append(append(append(buf[:0], salt...), 0), field...), 0)
	buf = append(buf, value...)
	sum := sha256.Sum256(buf)
	const kept = 8 // bytes
	var text [2 * kept]byte
	hex.Encode(text[:], sum[:kept])
	return string(text[:]), buf
}
