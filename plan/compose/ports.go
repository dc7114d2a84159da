package compose

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
)

// ports writes all published ports of a service whose containers get others: Compose adds the ports of all files, and
// the old ones would stay open beside the new.
func (w *serviceWriter) ports(instances []instance) {
	if !anyPorts(instances) {
		return
	}
	var all []string
	for i, one := range instances {
		list, ok := one.published()
		if !ok || i > 0 && !slices.Equal(list, all) {
			w.leave("ports", "its containers would not agree, or their ports cannot be read: write them into the project's own file")
			return
		}
		all = list
	}
	if w.old {
		w.leave("ports", "docker-compose 1.x takes no entry out of a list; write ports: ["+strings.Join(quoted(all), ", ")+"] in place of those in the project's file")
		return
	}
	w.tagged = true
	if len(all) == 0 {
		w.set("ports", none{})
		return
	}
	w.set("ports", replaced(all))
}

// none is what takes a list of the project's files away.
type none struct{}

// MarshalYAML writes it.
func (none) MarshalYAML() ([]byte, error) { return []byte("!reset []"), nil }

func anyPorts(instances []instance) bool {
	return slices.ContainsFunc(instances, func(i instance) bool {
		return slices.ContainsFunc(i.changes, func(c plan.Change) bool { return isPort(c.Path) })
	})
}

func isPort(path string) bool {
	_, _, ok := plan.PortOf(path)
	return ok
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = `"` + s + `"`
	}
	return out
}

// published are the ports that a container publishes after the plan, as Compose writes them; false: they cannot be read.
func (i instance) published() (list []string, ok bool) {
	now := map[string][]plan.PortBinding{}
	if raw := gjson.GetBytes(i.c.Raw, plan.PortsPath); raw.Exists() && json.Unmarshal([]byte(raw.Raw), &now) != nil {
		return nil, false
	}
	after, err := plan.Publish(now, i.changes)
	if err != nil {
		return nil, false
	}
	list = []string{}
	for _, inside := range slices.Sorted(maps.Keys(after)) {
		for _, at := range after[inside] {
			list = append(list, literal(plan.Port{Inside: inside, PortBinding: at}.String()))
		}
	}
	return list, true
}
