package inventory

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

// Made is how a container was made, beyond what controls judge: what a new container like it would
// take from the engine's defaults where this one has nothing of its own.
type Made struct {
	LogDriver string
	// LogOptions may hold secrets.
	LogOptions map[string]string
	// Ulimits as the engine shows them; null where there are none.
	Ulimits json.RawMessage
	// UlimitNames are the limits among them.
	UlimitNames []string
	// InitSet is true when it was said whether a small init process is wanted.
	InitSet bool
	// Foreground is true when a client was to be attached to its input or output.
	Foreground bool
	// Execs is how many commands of docker exec the engine still knows.
	Execs int
}

// Made tells how the container was made.
func (c *Container) Made() Made {
	if c.made != nil {
		return *c.made
	}
	m := newMade()
	gjson.ParseBytes(c.Raw).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "Config":
			value.ForEach(func(key, value gjson.Result) bool { m.config(key.Str, value); return true })
		case "HostConfig":
			value.ForEach(func(key, value gjson.Result) bool { m.hostConfig(key.Str, value); return true })
		case "ExecIDs":
			m.Execs = len(list(value))
		}
		return true
	})
	return *m
}

func newMade() *Made {
	return &Made{LogOptions: map[string]string{}, Ulimits: json.RawMessage("null")}
}

func (m *Made) config(key string, value gjson.Result) {
	if key == "AttachStdin" || key == "AttachStdout" {
		m.Foreground = m.Foreground || value.Bool()
	}
}

func (m *Made) hostConfig(key string, value gjson.Result) {
	switch key {
	case "LogConfig":
		m.LogDriver = value.Get("Type").String()
		for name, option := range value.Get("Config").Map() {
			m.LogOptions[name] = option.String()
		}
	case "Ulimits":
		if value.IsArray() {
			m.Ulimits = json.RawMessage(value.Raw)
		}
		for _, limit := range list(value) {
			m.UlimitNames = append(m.UlimitNames, limit.Get("Name").String())
		}
	case "Init":
		m.InitSet = value.Type != gjson.Null
	}
}

// list are the items of a value, if it is a list.
func list(value gjson.Result) []gjson.Result {
	if !value.IsArray() {
		return nil
	}
	return value.Array()
}
