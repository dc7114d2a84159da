package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Equal reports whether two values of one field mean the same to the engine: null and an empty list
// are alike (except for masked paths, where an empty list unmasks everything), capability lists are
// sets, and a process limit of 0 or -1 is none.
func Equal(field string, a, b json.RawMessage) bool {
	return reflect.DeepEqual(normal(field, generic(a)), normal(field, generic(b)))
}

// generic decodes without losing digits. What is no JSON becomes its own text and equals only itself.
func generic(raw json.RawMessage) any {
	if isNull(raw) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return string(raw)
	}
	return v
}

// normal brings a value of a field into the form in which equal meanings are equal values.
func normal(field string, v any) any {
	switch field {
	case "HostConfig.MaskedPaths", "HostConfig.ReadonlyPaths":
		return v
	case "HostConfig.CapAdd", "HostConfig.CapDrop":
		return capabilities(v)
	case "HostConfig.PidsLimit":
		if n, ok := v.(json.Number); ok && (n == "0" || n == "-1") {
			return nil
		}
	case "HostConfig.OomKillDisable", "Config.NetworkDisabled":
		if v == false {
			return nil
		}
	case "HostConfig.NetworkMode":
		if v == "default" {
			return bridge // which engines from 25 on write instead
		}
	case "HostConfig.Links":
		return links(v)
	}
	return empty(v)
}

// empty turns "", [] and {} into nil, at every depth of objects, and drops members that are nil.
func empty(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
			if m, ok := v[i].(map[string]any); ok {
				out[i] = empty(m)
			}
		}
		return out
	case map[string]any:
		out := make(map[string]any)
		for key, value := range v {
			if value = empty(value); value != nil {
				out[key] = value
			} else if s, ok := v[key].(string); ok && s == "" {
				out[key] = "" // a label or option without a value is still there
			}
		}
		if len(out) == 0 && len(v) == 0 {
			return nil
		}
		return out
	}
	return v
}

func capabilities(v any) any {
	list, _ := v.([]any)
	var names []string
	for _, c := range list {
		names = append(names, strings.TrimPrefix(strings.ToUpper(fmt.Sprint(c)), "CAP_"))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// links compares "/target:/owner/alias" without the owner's name, which changes with a rename.
func links(v any) any {
	list, _ := v.([]any)
	var out []string
	for _, l := range list {
		target, alias, _ := strings.Cut(fmt.Sprint(l), ":")
		out = append(out, strings.TrimPrefix(target, "/")+":"+path.Base(alias))
	}
	slices.Sort(out)
	return out
}

// shown prints a value for a person. Values that may be secrets are not shown.
func shown(field string, raw json.RawMessage) string {
	for _, secret := range []string{"Config.", "HostConfig.LogConfig", "HostConfig.Mounts", "HostConfig.Sysctls", "HostConfig.Annotations", "NetworkSettings."} {
		if strings.HasPrefix(field, secret) {
			return "(not shown)"
		}
	}
	const most = 120
	text := string(encode(generic(raw)))
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
