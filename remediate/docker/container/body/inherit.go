package body

import (
	"encoding/json"
	"slices"
)

const (
	logConfig = "HostConfig.LogConfig"
	ulimits   = "HostConfig.Ulimits"
)

// inherits reports whether a field has all it had, and beyond that only what the engine adds by itself.
func inherits(path string, was, is json.RawMessage) bool {
	switch path {
	case logConfig:
		a, b := objectOf(was), objectOf(is)
		return a.text("Type") == b.text("Type") && within(a.child("Config"), b.child("Config"))
	case ulimits:
		return within(byName(was), byName(is))
	}
	return false
}

// Inherited names the log options and limits that after has and before has not.
func Inherited(before, after json.RawMessage) ([]string, error) {
	old, err := parse(before)
	if err != nil {
		return nil, err
	}
	now, err := parse(after)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, part := range []struct {
		what    string
		was, is object
	}{
		{"log option ", old.HostConfig.child("LogConfig").child("Config"), now.HostConfig.child("LogConfig").child("Config")},
		{"ulimit ", byName(old.HostConfig["Ulimits"]), byName(now.HostConfig["Ulimits"])},
	} {
		for _, name := range sortedKeys(part.is) {
			if _, had := part.was[name]; !had {
				names = append(names, part.what+name)
			}
		}
	}
	return slices.Clip(names), nil
}

func objectOf(raw json.RawMessage) object {
	o, err := decodeObject(raw)
	if err != nil {
		return object{}
	}
	return o
}

// within reports whether everything of a is in b, equal.
func within(a, b object) bool {
	for name, value := range a {
		if other, has := b[name]; !has || !Equal(name, value, other) {
			return false
		}
	}
	return true
}

// byName is a list of limits by their names.
func byName(raw json.RawMessage) object {
	var list []object
	_ = json.Unmarshal(raw, &list)
	out := object{}
	for _, limit := range list {
		out.set(limit.text("Name"), limit)
	}
	return out
}
