package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
)

const sourceInfo = "engine /info"

// daemonKey is one key of daemon.json and the value it should have.
type daemonKey struct {
	name string
	// absent is the engine's value when neither flag nor file gives one.
	absent json.RawMessage
	want   json.RawMessage
	good   func(json.RawMessage) bool
	kind   plan.Kind
	note   string // behind the change
	// says is what the running engine itself says; nil where it says nothing.
	says func(h *inventory.Host) answer
}

// answer is what can be seen of a setting in the running engine.
type answer struct {
	known, good bool
	text        string // "live-restore is off"
	source      string
}

// configured is the value that the next start of the engine will use, and where it comes from.
type configured struct {
	value json.RawMessage
	from  string // "flag --icc", "daemon.json", "default"
	flag  bool
}

// judgeKey gives the verdict on one key: what is configured for the next start, and what is in
// effect now, must both be right.
func judgeKey(h *inventory.Host, k daemonKey) plan.Finding {
	f := plan.Finding{Resource: plan.Daemon()}
	if other, ok := otherProduct(h); ok {
		return other
	}
	now := answer{}
	if k.says != nil {
		now = k.says(h)
	}
	if now.known {
		f.Evidence = append(f.Evidence, evidence("in effect", now.source, "%s", now.text))
	}
	if problem := unreadable(h); problem != "" {
		return unreadKey(f, k, now, problem)
	}
	conf := k.configured(h)
	f.Evidence = append(f.Evidence, evidence(k.name, conf.from, "%s", conf.value))
	ok := k.good(conf.value)
	change := plan.Change{Path: k.name, From: h.Daemon.Keys[k.name], To: k.want, Kind: k.kind, Reversibility: plan.Exact, Note: k.note}
	if change.From == nil {
		change.From = json.RawMessage("null")
	}
	switch {
	case ok && now.known && !now.good:
		f.Status, f.Message = plan.Fail, fmt.Sprintf("%s is %s (%s) but that is not in effect: %s", k.name, conf.value, conf.from, now.text)
		f.Blocked = "restart the engine to make it effective, then plan again"
		if h.Daemon.Pending {
			f.Blocked = control.PendingText(h)
		}
	case ok && !now.known && stale(h, k, conf) != "":
		f.Status, f.Message = plan.Fail, fmt.Sprintf("%s is %s (%s) but the engine has not read that yet", k.name, conf.value, conf.from)
		f.Blocked = stale(h, k, conf)
	case ok:
		f.Status, f.Message = plan.Pass, fmt.Sprintf("%s is %s (%s)", k.name, conf.value, conf.from)
	case now.known && now.good:
		f.Status, f.Message = plan.Fail, fmt.Sprintf("in effect now, but %s is %s (%s): it is lost when the engine starts again", k.name, conf.value, conf.from)
		f.Changes = []plan.Change{change}
	default:
		f.Status, f.Message = plan.Fail, fmt.Sprintf("%s is %s (%s)", k.name, conf.value, conf.from)
		f.Changes = []plan.Change{change}
	}
	return f
}

// otherProduct is the verdict on an engine that is not Docker's.
func otherProduct(h *inventory.Host) (plan.Finding, bool) {
	f := plan.Finding{Resource: plan.Daemon()}
	switch h.Engine.Product {
	case "docker", "":
		return f, false
	case "podman":
		f.Status, f.Message = plan.NotApplicable, "the engine is podman, which has no daemon and no daemon.json"
	default:
		f.Status, f.Message = plan.Unknown, fmt.Sprintf("the engine is %s: where it keeps this setting is not known", h.Engine.Product)
	}
	return f, true
}

// unreadable says why the configuration of the next start is not known.
func unreadable(h *inventory.Host) string {
	d := &h.Daemon
	switch {
	case !h.Engine.Local:
		return "daemon.json and the engine's process are on another machine: run docker-harden there"
	case d.Keys == nil && d.ParseError != "":
		return fmt.Sprintf("%s: %s", d.ConfigPath, d.ParseError)
	case d.Config.Exists && d.Keys == nil && d.Bytes == nil && d.Config.SHA256 == "":
		return d.ConfigPath + " could not be read"
	}
	return ""
}

// unreadKey judges by the running engine alone.
func unreadKey(f plan.Finding, k daemonKey, now answer, problem string) plan.Finding {
	if !now.known {
		f.Status, f.Message = plan.Unknown, fmt.Sprintf("%s could not be judged: %s", k.name, problem)
		return f
	}
	if now.good {
		f.Status, f.Message = plan.Unknown, fmt.Sprintf("%s, but whether that is configured could not be seen: %s", now.text, problem)
		return f
	}
	f.Status, f.Message, f.Blocked = plan.Fail, now.text, "nothing can be changed: "+problem
	return f
}

// stale says why what is configured is not what the running engine has read; empty when it is.
func stale(h *inventory.Host, k daemonKey, conf configured) string {
	if !conf.flag && h.Daemon.Pending {
		return control.PendingText(h)
	}
	if len(h.Daemon.Argv) == 0 || len(h.Daemon.NextArgv) == 0 {
		return ""
	}
	if ran := inventory.ParseFlags(h.Daemon.Argv)[k.name]; !slices.Equal(ran, h.Daemon.Flags[k.name]) {
		return fmt.Sprintf("the engine's command line was changed after it started (flag %s): restart the engine yourself, then plan again", control.FlagName(k.name))
	}
	return ""
}

// configured is the flag, else the file, else the engine's own default.
func (k daemonKey) configured(h *inventory.Host) configured {
	if values := h.Daemon.Flags[k.name]; len(values) > 0 {
		return configured{value: flagValue(k.absent, values), from: "flag " + control.FlagName(k.name), flag: true}
	}
	if value, ok := h.Daemon.Keys[k.name]; ok && !bytes.Equal(value, []byte("null")) {
		return configured{value: compact(value), from: "daemon.json"}
	}
	return configured{value: k.absent, from: "default"}
}

// flagValue is the JSON form of a flag, of the type that absent has.
func flagValue(absent json.RawMessage, values []string) json.RawMessage {
	last := values[len(values)-1]
	switch absent[0] {
	case '[':
		return raw(values)
	case 't', 'f':
		if on, err := strconv.ParseBool(last); err == nil {
			return raw(on)
		}
	}
	return raw(last)
}

func compact(value json.RawMessage) json.RawMessage {
	var buf bytes.Buffer
	if err := json.Compact(&buf, value); err != nil {
		return value
	}
	return buf.Bytes()
}

// isBool is the test of a switch that should have one value.
func isBool(want bool) func(json.RawMessage) bool {
	return func(value json.RawMessage) bool { return string(value) == strconv.FormatBool(want) }
}

// info is an answer of the engine's /info.
func info(good bool, format string, args ...any) answer {
	return answer{known: true, good: good, text: fmt.Sprintf(format, args...), source: sourceInfo}
}

// onOff is a switch in words.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
