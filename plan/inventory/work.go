package inventory

import (
	"strings"

	"github.com/tidwall/gjson"

	"docker-harden/plan/evidence"
)

// Work is what decides how a container works: what evidence of it rests on.
func (c *Container) Work() evidence.Work {
	in := &c.Inspect
	w := evidence.Work{Image: in.Image, User: in.Config.User, HostNetwork: in.HostConfig.NetworkMode == "host"}
	config := gjson.GetBytes(c.Raw, "Config")
	w.Entrypoint, w.Command = texts(config.Get("Entrypoint")), texts(config.Get("Cmd"))
	for _, entry := range config.Get("Env").Array() {
		name, _, _ := strings.Cut(entry.String(), "=")
		w.Variables = append(w.Variables, name)
	}
	for _, m := range in.Mounts {
		w.Places = append(w.Places, m.Destination)
	}
	return w
}

func texts(value gjson.Result) []string {
	var out []string
	for _, word := range list(value) {
		out = append(out, word.String())
	}
	return out
}
