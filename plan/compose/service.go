package compose

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// service is a finished entry below services.
type service struct {
	name   string
	fields yaml.MapSlice
}

// settings names what a service's entry sets, one name a leaf.
func (s service) settings() []string { return leaves(s.name+": ", s.fields) }

func leaves(prefix string, fields yaml.MapSlice) []string {
	var out []string
	for _, f := range fields {
		name := prefix + fmt.Sprint(f.Key)
		if below, ok := f.Value.(yaml.MapSlice); ok {
			out = append(out, leaves(name+".", below)...)
			continue
		}
		out = append(out, name)
	}
	return out
}

// serviceWriter collects what is set of one service.
type serviceWriter struct {
	name   string
	old    bool     // docker-compose 1.x
	under  []string // what the project has under deploy
	fields yaml.MapSlice
	limits yaml.MapSlice // below deploy.resources.limits
	policy yaml.MapSlice // below deploy.restart_policy
	left   []string
	tagged bool
}

func (w *serviceWriter) set(key string, value any) {
	w.fields = append(w.fields, yaml.MapItem{Key: key, Value: value})
}

func (w *serviceWriter) leave(key, reason string) {
	w.left = append(w.left, fmt.Sprintf("%s: %s: %s", w.name, key, reason))
}

func (w *serviceWriter) service() service {
	var deploy yaml.MapSlice
	if len(w.limits) > 0 {
		deploy = append(deploy, yaml.MapItem{Key: "resources", Value: yaml.MapSlice{{Key: "limits", Value: w.limits}}})
	}
	if len(w.policy) > 0 {
		deploy = append(deploy, yaml.MapItem{Key: "restart_policy", Value: w.policy})
	}
	if len(deploy) > 0 {
		w.set("deploy", deploy)
	}
	return service{w.name, w.fields}
}

// replaced is a list that takes the place of the one in the project's files. Without its tag Compose
// adds to that one.
type replaced []string

// MarshalYAML writes the list with its tag.
func (r replaced) MarshalYAML() ([]byte, error) {
	items, err := yaml.Marshal([]string(r))
	return append([]byte("!override\n"), items...), err
}

// literal keeps Compose from reading $ as the start of a variable.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

func capability(s string) string { return strings.TrimPrefix(strings.ToUpper(s), "CAP_") }
