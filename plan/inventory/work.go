package inventory

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/evidence"
)

// anonymous is the name that the engine gives a volume.
var anonymous = regexp.MustCompile(`^[0-9a-f]{64}$`)

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
		// Volumes without a name are the image's own, or make room for what it writes: the same files are there. So they
		// are in those that this tool makes.
		if m.Type != "volume" || !anonymous.MatchString(m.Name) && !strings.HasPrefix(m.Name, plan.VolumeName) {
			w.Places = append(w.Places, m.Destination)
		}
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
