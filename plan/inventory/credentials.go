package inventory

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"docker-harden/plan/secret"
)

// Credentials are what looks like a credential in how a container was made, in its environment, labels and command
// lines. What it has of its image is the image's, see [Host.ImageCredentials]. nil: they were masked before anybody looked.
func (h *Host) Credentials(c *Container, d *secret.Detector) []secret.Find {
	if h.Redacted {
		return c.Credentials
	}
	s := sourceOf(gjson.GetBytes(c.Raw, "Config"))
	if image, ok := h.Images[c.Inspect.Image]; ok {
		s = without(s, sourceOf(gjson.GetBytes(image.Raw, "Config")))
	}
	return d.Look(s)
}

// ImageCredentials are what looks like a credential in an image's configuration and in the commands that built it.
// nil: they were masked before anybody looked.
func (h *Host) ImageCredentials(i *Image, d *secret.Detector) []secret.Find {
	if h.Redacted {
		return i.Credentials
	}
	s := sourceOf(gjson.GetBytes(i.Raw, "Config"))
	for _, layer := range i.History {
		s.History = append(s.History, layer.Command)
	}
	return d.Look(s)
}

// sourceOf takes from a configuration what may hold credentials.
func sourceOf(config gjson.Result) secret.Source {
	s := secret.Source{Labels: map[string]string{}}
	config.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "Env":
			s.Env = words(value)
		case "Entrypoint":
			s.Entrypoint = words(value)
		case "Cmd":
			s.Cmd = words(value)
		case "Healthcheck":
			s.Healthcheck = words(value.Get("Test"))
		case "Labels":
			for name, label := range value.Map() {
				s.Labels[name] = label.String()
			}
		}
		return true
	})
	return s
}

func words(value gjson.Result) []string {
	var out []string
	for _, item := range list(value) {
		out = append(out, item.String())
	}
	return out
}

// without empties what a container has of its image. Everything keeps its place, by which it may be named.
func without(s, image secret.Source) secret.Source {
	for i, entry := range s.Env {
		if slices.Contains(image.Env, entry) {
			s.Env[i] = ""
		}
	}
	for name, value := range s.Labels {
		if image.Labels[name] == value {
			s.Labels[name] = ""
		}
	}
	if slices.Equal(s.Entrypoint, image.Entrypoint) {
		s.Entrypoint = nil
	}
	if slices.Equal(s.Cmd, image.Cmd) {
		s.Cmd = nil
	}
	if slices.Equal(s.Healthcheck, image.Healthcheck) {
		s.Healthcheck = nil
	}
	return s
}

// Variable is what there is to know of one variable of an environment, without its value.
type Variable struct {
	Times     int  // how often it is set
	LineBreak bool // its value ends with a line break, which shells drop when they read a file
}

// Variable looks for a variable in the environment that a container was made with, its image's included.
func (c *Container) Variable(name string) Variable { return variable(c.Raw, name) }

// Variable looks for a variable in the environment that an image gives to its containers.
func (i *Image) Variable(name string) Variable { return variable(i.Raw, name) }

func variable(inspect []byte, name string) Variable {
	var v Variable
	for _, entry := range list(gjson.GetBytes(inspect, "Config.Env")) {
		if key, value, ok := strings.Cut(entry.String(), "="); ok && key == name {
			v.Times++
			v.LineBreak = v.LineBreak || strings.HasSuffix(value, "\n")
		}
	}
	return v
}
