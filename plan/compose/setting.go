package compose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
)

// change is what one setting was and should be.
type change struct{ from, to json.RawMessage }

// setting is one setting of a container and its word in Compose.
type setting struct {
	path, key string
	write     func(*serviceWriter, change)
}

func settings() []setting {
	return []setting{
		{"HostConfig.CapDrop", "cap_drop", func(w *serviceWriter, c change) { w.list("cap_drop", c, capability) }},
		{"HostConfig.CapAdd", "cap_add", func(w *serviceWriter, c change) { w.list("cap_add", c, capability) }},
		{"HostConfig.SecurityOpt", "security_opt", func(w *serviceWriter, c change) { w.options("security_opt", c) }},
		{"HostConfig.ReadonlyRootfs", "read_only", func(w *serviceWriter, c change) { scalar[bool](w, "read_only", c) }},
		{"HostConfig.Tmpfs", "tmpfs", func(w *serviceWriter, c change) { w.tmpfs("tmpfs", c) }},
		{"HostConfig.Memory", "mem_limit", func(w *serviceWriter, c change) { w.memory(c) }},
		{"HostConfig.MemorySwap", "memswap_limit", func(w *serviceWriter, c change) { w.swap(c) }},
		{"HostConfig.PidsLimit", "pids_limit", func(w *serviceWriter, c change) { w.pids(c) }},
		{"HostConfig.CpuShares", "cpu_shares", func(w *serviceWriter, c change) { scalar[int64](w, "cpu_shares", c) }},
		{"HostConfig.RestartPolicy", "restart", func(w *serviceWriter, c change) { w.restart(c) }},
		{plan.HealthcheckPath, "healthcheck", func(w *serviceWriter, c change) { w.check(c) }},
	}
}

// unwritten are the changes that this file has no words for: they depend on what the project's own file says.
func unwritten(instances []instance) []string {
	var out []string
	for _, i := range instances {
		for _, c := range i.changes {
			known := isPort(c.Path) || slices.ContainsFunc(settings(), func(s setting) bool { return s.path == c.Path })
			if !known && !slices.Contains(out, c.Path) {
				out = append(out, c.Path)
			}
		}
	}
	return out
}

// agreed is the change of a setting that all containers of a service end with. nil: the plan does not
// change it; reason says why there is none although it does.
func agreed(path string, instances []instance) (value *change, reason string) {
	var values []string
	for _, i := range instances {
		for _, c := range i.changes {
			if c.Path != path {
				continue
			}
			if value != nil && !same(value.from, c.From) {
				reason = "its containers differ now"
			}
			value = &change{c.From, c.To}
		}
	}
	if value == nil {
		return nil, ""
	}
	for _, i := range instances {
		end := i.ends(path)
		values = append(values, fmt.Sprintf("%s %s", i.c.Name, end))
		if !same(end, value.to) {
			reason = "its containers would not agree"
		}
	}
	if reason != "" {
		return nil, fmt.Sprintf("%s (%s): give them one value in the profile, then plan again", reason, strings.Join(values, ", "))
	}
	return value, ""
}

// ends is the value a container has after the plan.
func (i instance) ends(path string) json.RawMessage {
	for _, c := range i.changes {
		if c.Path == path {
			return c.To
		}
	}
	if now := gjson.GetBytes(i.c.Raw, path); now.Exists() {
		return json.RawMessage(now.Raw)
	}
	return json.RawMessage("null")
}

// same compares two values; an empty list and null are the same to Compose.
func same(a, b json.RawMessage) bool {
	return bytes.Equal(canonical(a), canonical(b))
}

func canonical(raw json.RawMessage) []byte {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return raw
	}
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			return []byte("null")
		}
	case map[string]any:
		if len(v) == 0 {
			return []byte("null")
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

func (w *serviceWriter) list(key string, c change, spell func(string) string) {
	var from, to []string
	if unmarshal(c.from, &from) != nil || unmarshal(c.to, &to) != nil {
		w.leave(key, "it has a form that is not known")
		return
	}
	for _, side := range [][]string{from, to} {
		for i := range side {
			side[i] = literal(spell(side[i]))
		}
	}
	without := func(list, other []string) []string {
		out := []string{}
		for _, s := range list {
			if !slices.Contains(other, s) {
				out = append(out, s)
			}
		}
		return out
	}
	// Compose adds the lists of all files, and its newer versions refuse an entry that stands twice:
	// only what is new is written.
	more, less := without(to, from), without(from, to)
	switch {
	case len(less) > 0 && w.old:
		w.leave(key, "docker-compose 1.x takes no entry out of a list; take "+strings.Join(less, ", ")+" out of the project's file")
		less = nil
		fallthrough
	case len(less) == 0:
		if len(more) > 0 {
			w.set(key, more)
		}
	default:
		w.tagged = true
		w.set(key, replaced(to))
	}
}

// options are security options. The last word about no-new-privileges counts, so one that is there
// already needs not to be taken out.
func (w *serviceWriter) options(key string, c change) {
	var from, to []string
	if unmarshal(c.from, &from) != nil || unmarshal(c.to, &to) != nil {
		w.leave(key, "it has a form that is not known")
		return
	}
	about := func(opt string) bool {
		name, _, _ := control.CutOption(opt)
		return name == control.OptNoNewPrivileges
	}
	if slices.ContainsFunc(to, about) {
		from = slices.DeleteFunc(from, func(opt string) bool { return about(opt) && !slices.Contains(to, opt) })
	}
	gone := slices.ContainsFunc(from, func(opt string) bool { return !slices.Contains(to, opt) })
	if gone && slices.ContainsFunc(to, func(opt string) bool { return strings.Contains(opt, "{") }) {
		w.leave(key, "it holds a profile, which a Compose file names by its own file; change it there")
		return
	}
	w.list(key, change{encode(from), encode(to)}, func(s string) string { return s })
}

func (w *serviceWriter) tmpfs(key string, c change) {
	var from, to map[string]string
	if unmarshal(c.from, &from) != nil || unmarshal(c.to, &to) != nil {
		w.leave(key, "it has a form that is not known")
		return
	}
	var list []string
	for _, place := range slices.Sorted(maps.Keys(to)) {
		options := to[place]
		if have, ok := from[place]; ok && have == options {
			continue
		}
		if options != "" {
			options = ":" + options
		}
		list = append(list, literal(place+options))
	}
	if len(list) > 0 {
		w.set(key, list)
	}
}

func scalar[T any](w *serviceWriter, key string, c change) {
	var v T
	if unmarshal(c.to, &v) != nil {
		w.leave(key, "it has a form that is not known")
		return
	}
	w.set(key, v)
}

func (w *serviceWriter) memory(c change) {
	var n int64
	switch {
	case unmarshal(c.to, &n) != nil || n <= 0:
		w.leave("mem_limit", "it has a form that is not known")
	case slices.Contains(w.under, inventory.UnderLimits):
		w.limits = append(w.limits, yaml.MapItem{Key: "memory", Value: size(n)})
	default:
		w.set("mem_limit", size(n))
	}
}

// swap is left to the engine where the kernel cannot limit it.
func (w *serviceWriter) swap(c change) {
	var n int64
	switch {
	case unmarshal(c.to, &n) != nil:
		w.leave("memswap_limit", "it has a form that is not known")
	case n > 0:
		w.set("memswap_limit", size(n))
	}
}

func (w *serviceWriter) pids(c change) {
	var n int64
	switch {
	case unmarshal(c.to, &n) != nil:
		w.leave("pids_limit", "it has a form that is not known")
	case slices.Contains(w.under, inventory.UnderLimits):
		w.limits = append(w.limits, yaml.MapItem{Key: "pids", Value: n})
	default:
		w.set("pids_limit", n)
	}
}

func (w *serviceWriter) restart(c change) {
	var p struct {
		Name              string
		MaximumRetryCount int
	}
	switch {
	case unmarshal(c.to, &p) != nil || p.Name == "":
		w.leave("restart", "it has a form that is not known")
	case slices.Contains(w.under, inventory.UnderRestart):
		w.policy = yaml.MapSlice{{Key: "condition", Value: p.Name}, {Key: "max_attempts", Value: p.MaximumRetryCount}}
	case p.MaximumRetryCount > 0:
		w.set("restart", p.Name+":"+strconv.Itoa(p.MaximumRetryCount))
	default:
		w.set("restart", p.Name)
	}
}

// size is a number of bytes as Compose reads it.
func size(n int64) string {
	const mib = 1 << 20
	if n%mib == 0 {
		return strconv.FormatInt(n/mib, 10) + "m"
	}
	return strconv.FormatInt(n, 10) + "b"
}

func unmarshal(raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, into)
}

func encode(list []string) json.RawMessage {
	raw, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("internal error: cannot encode a list: %v", err)) // strings always can be
	}
	return raw
}
