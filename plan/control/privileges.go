package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// OptNoNewPrivileges is the name of the option in SecurityOpt, in daemon.json and in the engine's answers.
const OptNoNewPrivileges = "no-new-privileges"

const securityOptPath = "HostConfig.SecurityOpt"

// CutOption splits one entry of SecurityOpt as the engine does: at "=", and in the old form at ":".
func CutOption(opt string) (name, value string, found bool) {
	if name, value, found = strings.Cut(opt, "="); found {
		return name, value, true
	}
	return strings.Cut(opt, ":")
}

// NoNewPrivs is what a container's SecurityOpt says of no-new-privileges.
type NoNewPrivs struct {
	On     bool     // the last entry, which the engine follows, turns it on
	Off    bool     // the last entry turns it off: somebody meant it
	Others []string // the entries about other things, in order
}

// ParseNoNewPrivs reads every form the engine takes: bare, :true, =true, :false, =0 and so on.
func ParseNoNewPrivs(opts []string) NoNewPrivs {
	n := NoNewPrivs{Others: []string{}}
	for _, opt := range opts {
		name, value, found := CutOption(opt)
		if name != OptNoNewPrivileges {
			n.Others = append(n.Others, opt)
			continue
		}
		on, err := true, error(nil)
		if found {
			on, err = strconv.ParseBool(value)
		}
		if err == nil {
			n.On, n.Off = on, !on
		}
	}
	return n
}

// keepPrivileges writes no-new-privileges:false into every container that is recreated for other
// reasons and may gain privileges now, where the engine's default is to take that from new
// containers. The plan would else change something it does not speak of, and what the profile
// excepts, leaves off or asks about would break.
func keepPrivileges(h *inventory.Host, findings []plan.Finding) {
	isDefault := defaultNoNewPrivs(h)
	if !isDefault && !turnsOnNoNewPrivs(findings) {
		return
	}
	recreates := make(map[string][]*plan.Finding)
	for i := range findings {
		if f := &findings[i]; f.Resource.Kind == plan.ResourceContainer && changes(f, plan.KindRecreate) {
			recreates[f.Resource.ID] = append(recreates[f.Resource.ID], f)
		}
	}
	for i := range h.Containers {
		c := &h.Containers[i]
		list := recreates[c.ID]
		if !mayGain(c, isDefault) || slices.ContainsFunc(list, givesNoNewPrivs) {
			continue
		}
		// Every one of them says so: which of them get into the plan is not known here.
		for _, f := range list {
			optOut(c, f)
		}
	}
}

// defaultNoNewPrivs reports whether containers made now, or after the next restart of the engine
// whoever does it, get the option without asking.
func defaultNoNewPrivs(h *inventory.Host) bool {
	if values := h.Daemon.Flags[OptNoNewPrivileges]; len(values) > 0 {
		if on, err := strconv.ParseBool(values[len(values)-1]); err == nil && on {
			return true
		}
	}
	return string(bytes.TrimSpace(h.Daemon.Keys[OptNoNewPrivileges])) == "true" ||
		slices.ContainsFunc(h.Engine.SecurityOptions, func(s string) bool { return s == OptNoNewPrivileges || s == "name="+OptNoNewPrivileges })
}

// turnsOnNoNewPrivs reports whether the engine's default is turned on together with the rest.
func turnsOnNoNewPrivs(findings []plan.Finding) bool {
	return slices.ContainsFunc(findings, func(f plan.Finding) bool {
		return f.Resource.Kind == plan.ResourceDaemon && changes(&f) && slices.ContainsFunc(f.Changes, func(c plan.Change) bool {
			return c.Path == OptNoNewPrivileges && string(c.To) == "true"
		})
	})
}

// mayGain reports whether a container does without the option and nobody has said so on it. Where no
// process tells, it does if the engine's default is off now: it has what it was made with.
func mayGain(c *inventory.Container, isDefault bool) bool {
	if n := ParseNoNewPrivs(c.Inspect.HostConfig.SecurityOpt); n.On || n.Off {
		return false
	}
	if c.Proc != nil {
		return !c.Proc.Init.NoNewPrivs
	}
	return !isDefault
}

// givesNoNewPrivs reports whether a finding wants the option on.
func givesNoNewPrivs(f *plan.Finding) bool {
	return slices.ContainsFunc(f.Changes, func(c plan.Change) bool {
		var opts []string
		return c.Path == securityOptPath && json.Unmarshal(c.To, &opts) == nil && ParseNoNewPrivs(opts).On
	})
}

// optOut adds the opposite of the engine's default to the changes of a finding.
func optOut(c *inventory.Container, f *plan.Finding) {
	const off, note = OptNoNewPrivileges + ":false", "keeps it as it is: the engine's default would reach the new container"
	f.Changes = slices.Clone(f.Changes) // they are the control's
	for i := range f.Changes {
		change := &f.Changes[i]
		if change.Path != securityOptPath {
			continue
		}
		var opts []string
		if err := json.Unmarshal(change.To, &opts); err != nil {
			block(f, fmt.Sprintf("internal error: %s of %s is no list", securityOptPath, f.Control))
			return
		}
		change.To, change.Note = optionList(append(opts, off)), strings.TrimPrefix(change.Note+"; "+note, "; ")
		return
	}
	have := c.Inspect.HostConfig.SecurityOpt
	f.Changes = append(f.Changes, plan.Change{
		Path: securityOptPath, From: optionList(have), To: optionList(append(slices.Clone(have), off)),
		Kind: plan.KindRecreate, Reversibility: plan.Exact, Note: note,
	})
}

// optionList is a list as the engine writes it: null stays null, and a seccomp profile in it is not escaped.
func optionList(opts []string) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(opts); err != nil {
		return nil // strings can always be written
	}
	return bytes.TrimSpace(buf.Bytes())
}
