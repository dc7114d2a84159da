package inventory

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/secret"
)

// Redact returns a copy in which secrets are masked as "***" while their names stay: environment
// values, labels, log options and command lines that look like credentials, credentials in
// daemon.json and in the engine's flags, and whatever the rules of package secret find. Bases and credentials are
// looked for before, so staleness and credentials can still be judged.
func (h *Host) Redact() *Host {
	if h.Redacted {
		return h
	}
	out := *h
	out.Bases = h.bases()
	out.Redacted = true
	out.Engine.Warnings = maskAll(h.Engine.Warnings)
	out.Engine.InsecureRegistries = maskAll(h.Engine.InsecureRegistries)
	out.Daemon = h.Daemon.redact()
	out.Problems = slices.Clone(h.Problems)
	for i := range out.Problems {
		out.Problems[i].Reason = maskText(out.Problems[i].Reason)
	}
	found := secret.New()
	out.Containers = slices.Clone(h.Containers)
	for i := range out.Containers {
		c := &out.Containers[i]
		if c.Problem != "" {
			c.Problem = maskText(c.Problem)
			continue
		}
		c.Credentials = h.Credentials(c, found)
		c.Raw = maskJSON(c.Raw, found.Mask)
		if err := c.decode(); err != nil {
			// Masking replaces strings by strings, so this cannot happen; a container without its
			// answer is at least no leak.
			c.Raw, c.Problem = nil, "internal error: "+err.Error()
		}
	}
	out.Images = maps.Clone(h.Images)
	for id, image := range out.Images {
		image.Credentials = h.ImageCredentials(&image, found)
		out.Images[id] = image.redact(found.Mask)
	}
	return &out
}

// redact masks an image. hide masks what the rules for credentials find.
func (i Image) redact(hide func(string) string) Image {
	i.Raw = maskJSON(i.Raw, hide)
	i.Entrypoint, i.Cmd = each(maskArgs(i.Entrypoint), hide), each(maskArgs(i.Cmd), hide)
	i.HistoryProblem = maskText(i.HistoryProblem)
	i.History = slices.Clone(i.History)
	for n := range i.History {
		i.History[n].Command = hide(maskText(i.History[n].Command))
	}
	return i
}

// each is a list with every text changed; nil stays nil.
func each(texts []string, change func(string) string) []string {
	out := slices.Clone(texts)
	for i, text := range out {
		out[i] = change(text)
	}
	return out
}

// bases computes the basis of every resource.
func (h *Host) bases() map[string]plan.Basis {
	all := map[string]plan.Basis{}
	add := func(r plan.Resource) {
		if basis, ok := h.Basis(r); ok {
			all[basisKey(r)] = basis
		}
	}
	add(plan.Daemon())
	add(plan.Swarm())
	add(plan.File(GroupFile))
	for name := range h.Files {
		add(plan.File(name))
	}
	for i := range h.Containers {
		add(h.Containers[i].Resource())
	}
	return all
}

func maskAll(texts []string) []string { return each(texts, maskText) }

// redact masks credentials in the engine's configuration and command lines.
func (d Daemon) redact() Daemon {
	d.Argv, d.NextArgv = maskArgs(d.Argv), maskArgs(d.NextArgv)
	flags := map[string][]string{}
	for key, values := range d.Flags {
		masked := slices.Clone(values)
		for i, value := range masked {
			masked[i] = maskOption(key, value)
		}
		flags[key] = masked
	}
	if d.Flags != nil {
		d.Flags = flags
	}
	keys := map[string]json.RawMessage{}
	for key, raw := range d.Keys {
		keys[key] = maskMember(key, raw)
	}
	if d.Keys != nil {
		d.Keys = keys
	}
	d.Bytes = maskConfig(d.Bytes)
	return d
}

// maskOption masks the value of a flag, which may itself be NAME=VALUE (--log-opt token=x).
func maskOption(key, value string) string {
	if name, inner, ok := strings.Cut(value, "="); ok && !strings.Contains(name, "://") {
		return name + "=" + maskValue(name, inner)
	}
	return maskValue(key, value)
}

// maskConfig masks daemon.json. What cannot be parsed could hide anything and is left out whole.
func maskConfig(data []byte) []byte {
	if len(bytes.TrimSpace(data)) == 0 {
		return data
	}
	if _, problem := parseConfig(data); problem != "" {
		return nil
	}
	var out []byte
	last := 0
	for _, s := range secretStrings(data) {
		out = append(append(out, data[last:s.start]...), s.masked...)
		last = s.end
	}
	return append(out, data[last:]...)
}

// span is a string value in a JSON text with what takes its place.
type span struct {
	start, end int
	masked     []byte
}

// secretStrings finds the string values of a valid JSON text that must be masked, so that the rest
// of the text stays as it was written.
func secretStrings(data []byte) []span {
	var spans []span
	dec := json.NewDecoder(bytes.NewReader(data))
	var path []string // the member names around the current value
	var value func()
	value = func() {
		token, err := dec.Token()
		if err != nil {
			return
		}
		switch t := token.(type) {
		case json.Delim:
			for dec.More() {
				if t == '[' {
					value()
					continue
				}
				key, _ := dec.Token()
				name, _ := key.(string)
				path = append(path, name)
				value()
				path = path[:len(path)-1]
			}
			_, _ = dec.Token()
		case string:
			if masked := maskNamed(path, t); masked != t {
				end := int(dec.InputOffset())
				text, _ := json.Marshal(masked)
				spans = append(spans, span{start: stringStart(data, end), end: end, masked: text})
			}
		}
	}
	value()
	return spans
}

// stringStart is where the JSON string starts that ends before offset end.
func stringStart(data []byte, end int) int {
	for i := end - 2; i >= 0; i-- {
		if data[i] != '"' {
			continue
		}
		slashes := 0
		for i-slashes > 0 && data[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return 0
}

// maskNamed masks a string below any name that sounds secret.
func maskNamed(path []string, value string) string {
	for _, name := range path {
		if isSecretName(name) {
			return maskNonEmpty(value)
		}
	}
	if len(path) > 0 {
		if name, inner, ok := strings.Cut(value, "="); ok && strings.HasSuffix(path[len(path)-1], "-opts") {
			return name + "=" + maskValue(name, inner) // "exec-opts": ["name=value"]
		}
	}
	if len(path) > 0 {
		return maskValue(path[len(path)-1], value)
	}
	return maskText(value)
}

// maskMember masks one top-level value of daemon.json.
func maskMember(key string, raw json.RawMessage) json.RawMessage {
	name, err := json.Marshal(key)
	if err != nil {
		return json.RawMessage(`"` + mask + `"`)
	}
	doc := append(append(append([]byte("{"), name...), ':'), raw...)
	if doc = maskConfig(append(doc, '}')); doc == nil {
		return json.RawMessage(`"` + mask + `"`)
	}
	return json.RawMessage(bytes.TrimSuffix(doc[len(name)+2:], []byte("}")))
}
