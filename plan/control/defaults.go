package control

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

const (
	ulimitsPath = "HostConfig.Ulimits"
	initPath    = "HostConfig.Init"
	logOptPath  = "HostConfig.LogConfig.Config."
	// initProcess is the engine's own init, as the kernel names it.
	initProcess = "docker-init"

	takenNote = "the engine's default since it was made: a new container takes it"
)

// plainLogOptions are log options that never hold a secret and may stand in a plan.
var plainLogOptions = []string{
	"cache-compress", "cache-disabled", "cache-max-file", "cache-max-size", "compress", "env", "env-regex", "labels",
	"labels-regex", "max-buffer-size", "max-file", "max-size", "mode", "tag",
}

// TakesDefault reports whether a setting of a container is one that a recreate may take from the engine's defaults,
// or keep from them: no control asks for it, and the plan says it all the same.
func TakesDefault(path string) bool {
	option, isOption := strings.CutPrefix(path, logOptPath)
	return path == ulimitsPath || path == initPath || isOption && slices.Contains(plainLogOptions, option)
}

// sayDefaults writes into every recreate what the new container would take from defaults of the
// engine that were set after the old one was made: what the plan does not say must not change.
func sayDefaults(h *inventory.Host, findings []plan.Finding) {
	recreates := make(map[string][]*plan.Finding)
	for i := range findings {
		if f := &findings[i]; f.Resource.Kind == plan.ResourceContainer && changes(f, plan.KindRecreate) {
			recreates[f.Resource.ID] = append(recreates[f.Resource.ID], f)
		}
	}
	for i := range h.Containers {
		c := &h.Containers[i]
		list := recreates[c.ID]
		if len(list) == 0 {
			continue
		}
		taken, _ := defaultsTaken(h, c) // what is hidden blocks a recreate
		// Every one of them says so: which of them get into the plan is not known here.
		for _, f := range list {
			f.Changes = append(slices.Clip(f.Changes), taken...)
		}
	}
}

// defaultsTaken are the settings that a container does not have and a new one like it would get.
// hidden says why they cannot be put into a plan.
func defaultsTaken(h *inventory.Host, c *inventory.Container) (taken []plan.Change, hidden string) {
	made := c.Made()
	taken, hidden = logOptionsTaken(h, made)
	if change, is := ulimitsTaken(h, made); is {
		taken = append(taken, change)
	}
	if defaultInit(h) && !made.InitSet && c.Proc != nil && c.Proc.Init.Name != initProcess {
		taken = append(taken, plan.Change{
			Path: initPath, From: json.RawMessage("null"), To: json.RawMessage("false"), Kind: plan.KindRecreate, Reversibility: plan.Exact,
			Note: "keeps it as it is: the engine's default would give the new container an init process",
		})
	}
	return taken, hidden
}

// logOptionsTaken: the engine adds its own log options to those of a container whose log driver is
// the default one.
func logOptionsTaken(h *inventory.Host, made inventory.Made) (taken []plan.Change, hidden string) {
	if made.LogDriver == "" || made.LogDriver != h.Engine.LoggingDriver {
		return nil, ""
	}
	defaults := make(map[string]string)
	_ = json.Unmarshal(h.Daemon.Keys["log-opts"], &defaults) // what is no such object the engine refuses
	for _, flag := range h.Daemon.Flags["log-opts"] {
		name, value, _ := strings.Cut(flag, "=")
		defaults[name] = value
	}
	var secret []string
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		switch _, has := made.LogOptions[name]; {
		case has:
		case !slices.Contains(plainLogOptions, name):
			secret = append(secret, plainName(name))
		default:
			taken = append(taken, plan.Change{
				Path: logOptPath + name, From: json.RawMessage("null"), To: jsonText(defaults[name]),
				Kind: plan.KindRecreate, Reversibility: plan.Exact, Note: takenNote,
			})
		}
	}
	if len(secret) > 0 {
		return nil, fmt.Sprintf("the engine's log options were given %s after it was made, which a new container would take and a plan cannot show; make the container anew yourself, or take them out of daemon.json",
			strings.Join(secret, ", "))
	}
	return taken, ""
}

// Ulimit is a limit in the engine's own form; -1 is none.
type Ulimit struct {
	Name string
	Hard int64
	Soft int64
}

// ulimitsTaken: the engine adds its own limits to those of a container that has none of that name.
func ulimitsTaken(h *inventory.Host, made inventory.Made) (plan.Change, bool) {
	defaults := DefaultUlimits(h)
	var have []json.RawMessage
	if json.Unmarshal(made.Ulimits, &have) != nil {
		return plan.Change{}, false
	}
	before := len(have)
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if u := defaults[name]; !slices.Contains(made.UlimitNames, name) {
			raw, err := json.Marshal(u)
			if err != nil {
				continue // a name and two numbers can always be written
			}
			have = append(have, raw)
		}
	}
	if len(have) == before {
		return plan.Change{}, false
	}
	to, err := json.Marshal(have)
	return plan.Change{
		Path: ulimitsPath, From: made.Ulimits, To: to, Kind: plan.KindRecreate, Reversibility: plan.Exact, Note: takenNote,
	}, err == nil
}

// DefaultUlimits are the limits that the engine gives to every container without one of that name.
func DefaultUlimits(h *inventory.Host) map[string]Ulimit {
	defaults := make(map[string]Ulimit)
	_ = json.Unmarshal(h.Daemon.Keys["default-ulimits"], &defaults) // what is no such object the engine refuses
	for name, u := range defaults {
		u.Name = name
		defaults[name] = u
	}
	for _, flag := range h.Daemon.Flags["default-ulimits"] {
		if u, ok := parseUlimit(flag); ok {
			defaults[u.Name] = u
		}
	}
	return defaults
}

// ulimitsToCome names the limits that docker inspect shows already, because the engine was restarted
// with new defaults, while the container still runs with what it was started with.
func ulimitsToCome(h *inventory.Host, c *inventory.Container) []string {
	if c.Proc == nil || len(c.Proc.Ulimits) == 0 {
		return nil
	}
	var shown []Ulimit
	if json.Unmarshal(c.Made().Ulimits, &shown) != nil {
		return nil
	}
	defaults := DefaultUlimits(h)
	var notes []string
	for _, u := range shown {
		have, next := c.Proc.Ulimits[u.Name], fmt.Sprintf("%d:%d", u.Soft, u.Hard)
		if have != "" && have != next && defaults[u.Name] == u {
			notes = append(notes, fmt.Sprintf("it runs with ulimit %s %s: the new container starts with %s, the engine's default since, as this one would at its next start", plainName(u.Name), have, next))
		}
	}
	return notes
}

// parseUlimit reads a flag: name=soft or name=soft:hard.
func parseUlimit(flag string) (u Ulimit, ok bool) {
	name, limits, ok := strings.Cut(flag, "=")
	soft, hard, both := strings.Cut(limits, ":")
	if !both {
		hard = soft
	}
	u.Name = name
	_, errSoft := fmt.Sscanf(soft, "%d", &u.Soft)
	_, errHard := fmt.Sscanf(hard, "%d", &u.Hard)
	return u, ok && errSoft == nil && errHard == nil
}

func defaultInit(h *inventory.Host) bool {
	values := h.Daemon.Flags["init"]
	return string(h.Daemon.Keys["init"]) == "true" || len(values) > 0 && values[len(values)-1] != "false"
}

func jsonText(s string) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`) // text can always be written
	}
	return raw
}
