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

// Made reads how the container was made.
func (c *Container) Made() Made {
	m := Made{LogOptions: map[string]string{}, Ulimits: json.RawMessage("null")}
	fields := gjson.GetManyBytes(
		c.Raw, "HostConfig.LogConfig.Type", "HostConfig.LogConfig.Config", "HostConfig.Ulimits", "HostConfig.Init",
		"Config.AttachStdin", "Config.AttachStdout", "ExecIDs.#",
	)
	m.LogDriver = fields[0].String()
	for name, value := range fields[1].Map() {
		m.LogOptions[name] = value.String()
	}
	if fields[2].IsArray() {
		m.Ulimits = json.RawMessage(fields[2].Raw)
		for _, limit := range fields[2].Array() {
			m.UlimitNames = append(m.UlimitNames, limit.Get("Name").String())
		}
	}
	m.InitSet = fields[3].Exists() && fields[3].Type != gjson.Null
	m.Foreground = fields[4].Bool() || fields[5].Bool()
	m.Execs = int(fields[6].Int())
	return m
}
