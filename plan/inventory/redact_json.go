package inventory

import (
	"bytes"
	"encoding/json"
)

// maskJSON masks secrets in an inspect answer of a container or an image, by the names of its members and then by
// what hide finds in each text. What cannot be parsed is left out whole.
func maskJSON(raw json.RawMessage, hide func(string) string) json.RawMessage {
	if raw == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(hideAny(maskAny("", doc), hide)); err != nil {
		return nil
	}
	return trimRaw(out.Bytes())
}

// hideAny applies hide to every text of an answer, also to names: a label may be called anything.
func hideAny(value any, hide func(string) string) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			out[hide(key)] = hideAny(inner, hide)
		}
		return out
	case []any:
		for i, item := range v {
			v[i] = hideAny(item, hide)
		}
	case string:
		return hide(v)
	}
	return value
}

// maskAny walks an answer; name is the member the value belongs to.
func maskAny(name string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if key == "SecurityOpt" || key == "Health" {
				v[key] = maskKnown(key, inner)
				continue
			}
			v[key] = maskAny(key, inner)
		}
		return v
	case []any:
		return maskList(name, v)
	case string:
		return maskValue(name, v)
	}
	return value
}

// maskKnown handles members whose content needs its own treatment.
func maskKnown(name string, value any) any {
	if name == "SecurityOpt" {
		return value // decides findings; holds options and seccomp profiles only
	}
	// What a health check printed may hold anything.
	if health, ok := value.(map[string]any); ok {
		if entries, ok := health["Log"].([]any); ok {
			for _, entry := range entries {
				if log, ok := entry.(map[string]any); ok {
					log["Output"] = mask
				}
			}
		}
	}
	return value
}

// maskList masks lists of strings by what they are: environments, command lines, others.
func maskList(name string, list []any) any {
	var texts []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			for i, item := range list {
				list[i] = maskAny(name, item)
			}
			return list
		}
		texts = append(texts, text)
	}
	switch name {
	case "Env":
		for i, text := range texts {
			list[i] = maskEnv(text)
		}
	case "Cmd", "Args", "Entrypoint", "Test", "OnBuild", "Shell":
		for i, text := range maskArgs(texts) {
			list[i] = text
		}
	default:
		for i, text := range texts {
			list[i] = maskText(text)
		}
	}
	return list
}
