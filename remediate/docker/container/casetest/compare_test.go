package casetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// picture is an inspect answer.
type picture map[string]any

func inspect(t *testing.T, h *host.Host, name string) picture {
	t.Helper()
	_, raw, err := h.Client(t).ContainerInspectWithRaw(t.Context(), name, false)
	var p picture
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		t.Fatalf("cannot read what the engine says of %s: %v", name, err)
	}
	return p
}

func (p picture) id() string { return p["Id"].(string) }

func (p picture) of(path string) any {
	var v any = map[string]any(p)
	for _, key := range strings.Split(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func (p picture) status() string  { return fmt.Sprint(p.of("State.Status")) }
func (p picture) started() string { return fmt.Sprint(p.of("State.StartedAt")) }

// passing are members that are no configuration: ids, paths with an id in them, times, and what the
// engine assigns anew at every start.
var passing = []string{
	"Id", "Created", "Name", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "RestartCount", "GraphDriver", "ExecIDs",
	"State.Pid", "State.StartedAt", "State.FinishedAt", "State.ExitCode", "State.Health", "Config.MacAddress",
}

// assigned are members of an endpoint that the engine chooses.
var assigned = []string{"EndpointID", "IPAddress", "MacAddress", "DNSNames", "GlobalIPv6Address", "Gateway", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6PrefixLen"}

// facts are the members of an answer that must survive, each with its value as JSON text. Null and
// empty are told apart.
func (p picture) facts() map[string]string {
	out := make(map[string]string)
	for key, value := range p {
		members, nested := value.(map[string]any)
		switch {
		case key == "NetworkSettings":
			p.networks(out, members)
		case key == "Mounts":
			for _, m := range value.([]any) {
				m := m.(map[string]any)
				delete(m, "Mode") // it does not say what it seems to
				out["Mounts."+m["Destination"].(string)] = text(m)
			}
		case nested:
			for inner, v := range members {
				out[key+"."+inner] = text(v)
			}
		default:
			out[key] = text(value)
		}
	}
	if out["Config.Hostname"] == text(p.id()[:12]) {
		out["Config.Hostname"] = "its own id"
	}
	maps.DeleteFunc(out, func(key, _ string) bool {
		return slices.ContainsFunc(passing, func(p string) bool { return key == p || strings.HasPrefix(key, p+".") })
	})
	return out
}

func (p picture) networks(out map[string]string, settings map[string]any) {
	out["NetworkSettings.Ports"] = text(settings["Ports"])
	ends, _ := settings["Networks"].(map[string]any)
	for name, end := range ends {
		for key, v := range end.(map[string]any) {
			if slices.Contains(assigned, key) {
				continue
			}
			if list, ok := v.([]any); ok && key == "Aliases" {
				v = slices.DeleteFunc(slices.Clone(list), func(a any) bool { return a == p.id()[:12] })
				if len(v.([]any)) == 0 {
					v = nil
				}
			}
			out["NetworkSettings."+name+"."+key] = text(v)
		}
	}
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// differ lists the facts that differ, without those at or below an allowed path.
func differ(was, is picture, allowed ...string) []string {
	before, after := was.facts(), is.facts()
	var out []string
	for _, key := range slices.Sorted(maps.Keys(union(before, after))) {
		free := slices.ContainsFunc(allowed, func(a string) bool { return key == a || strings.HasPrefix(key, a+".") })
		if !free && before[key] != after[key] {
			out = append(out, fmt.Sprintf("%s was %s, is %s", key, before[key], after[key]))
		}
	}
	return out
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
