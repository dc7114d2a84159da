package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate/docker/daemon"
	"docker-harden/remediate/journal"
)

// drift is one thing that is not as the last apply left it.
type drift struct {
	Target string `json:"target"`
	Field  string `json:"field,omitempty"`
	What   string `json:"what"`
}

// driftOf compares the host with what a generation left: the settings it made have the values it
// gave them, and what it did not touch is as it was before.
func driftOf(gen *journal.Generation, h *inventory.Host) []drift {
	var out []drift
	for _, s := range standing(gen) {
		found := driftOfStep(s, h)
		for _, m := range s.Members {
			found = append(found, driftOfMember(m, h)...)
		}
		if len(found) == 0 && s.Resource.Kind == plan.ResourceDaemon {
			found = driftOfFile(s, gen.Step(s.ID).Undo, h)
		}
		out = append(out, found...)
	}
	return append(out, driftEnded(gen, h, standing(gen))...)
}

// standing are the steps of a generation that are on this host.
func standing(gen *journal.Generation) []plan.Step {
	var out []plan.Step
	for _, s := range gen.Begin.Steps {
		switch gen.Step(s.ID).Phase {
		case journal.StepDone, journal.StepPruned:
			out = append(out, s)
		}
	}
	return out
}

// driftOfFile: the step's keys are as it set them, and something else in daemon.json is not.
func driftOfFile(s plan.Step, undo json.RawMessage, h *inventory.Host) []drift {
	left := daemon.Left(undo)
	if left == "" || left == h.Daemon.Config.SHA256 {
		return nil
	}
	return []drift{{s.ID, "content", h.Daemon.Resolved + " was changed: what this tool did not set is not as the apply left it"}}
}

func driftOfStep(s plan.Step, h *inventory.Host) []drift {
	now, ok := present(h, s.Resource)
	if !ok {
		return []drift{{s.ID, "", "is gone, or could not be read"}}
	}
	out := driftOfChanges(s.ID, s.Changes, now, h)
	if s.Kind == plan.KindRecreate {
		return out // another container: its hashes have another salt
	}
	basis, ok := h.Basis(now)
	if !ok {
		return append(out, drift{s.ID, "", "could not be read"})
	}
	for _, field := range s.Basis.Moved(basis) {
		if !explained(s, field) {
			out = append(out, drift{s.ID, field, field + " was changed"})
		}
	}
	return out
}

// driftOfMember compares a container that went along with another one's recreate.
func driftOfMember(m plan.Member, h *inventory.Host) []drift {
	target := m.Resource.String()
	now, ok := present(h, m.Resource)
	if !ok {
		return []drift{{target, "", "is gone, or could not be read"}}
	}
	return append(driftOfChanges(target, m.Changes, now, h), driftBinds(m, h)...)
}

func driftOfChanges(target string, changes []plan.Change, now plan.Resource, h *inventory.Host) []drift {
	var out []drift
	for _, ch := range changes {
		if ch.Path == plan.UnlockKeyFilePath {
			continue // the key is to be taken away from there
		}
		value, set := settingNow(h, now, ch.Path), made(ch, changes)
		if p, setting, ok := plan.PortOf(ch.Path); ok {
			value = portNow(h, now, p, setting, changes)
		}
		if !sameJSON(value, set) {
			out = append(out, drift{target, ch.Path, fmt.Sprintf("%s is %s, the apply had set it to %s", ch.Path, orNull(value), orNull(set))})
		}
	}
	return out
}

// made is what a recreate gave a container for a change: the engine's own label=disable goes with what opened the
// container to the host.
func made(ch plan.Change, all []plan.Change) json.RawMessage {
	var opts []string
	gone := func(other plan.Change) bool { return other.Path != ch.Path && other.Moves(ch.Path) }
	if ch.Path != "HostConfig.SecurityOpt" || !slices.ContainsFunc(all, gone) || json.Unmarshal(ch.To, &opts) != nil {
		return ch.To
	}
	left, err := json.Marshal(slices.DeleteFunc(opts, func(opt string) bool { return opt == "label=disable" }))
	if err != nil {
		return ch.To
	}
	return left
}

// explained says whether a field of the basis moved because of the step itself.
func explained(s plan.Step, field string) bool {
	if s.Resource.Kind == plan.ResourceDaemon && field == "content" {
		return true // its keys are compared one by one
	}
	if s.Kind == plan.KindAudit {
		return true // its rules are compared one by one
	}
	return slices.ContainsFunc(s.Changes, func(ch plan.Change) bool { return ch.Moves(field) })
}

// present finds the resource by its name: a recreate gave the container another id.
func present(h *inventory.Host, r plan.Resource) (plan.Resource, bool) {
	switch r.Kind {
	case plan.ResourceContainer:
		if c := containerNamed(h, r.Name); c != nil {
			return c.Resource(), true
		}
		return r, false
	case plan.ResourceDaemon:
		return r, h.Engine.Local
	case plan.ResourceSwarm:
		return r, h.Engine.Cluster != nil
	}
	if r.Name == inventory.GroupFile {
		return r, h.Group.Exists && h.Group.Problem == ""
	}
	f, ok := h.Files[r.Name]
	if r.Name == inventory.AuditRulesFile { // its rules may stand in other files
		return r, ok && h.Audit != nil && h.Audit.Problem+h.Audit.FileProblem == ""
	}
	return r, ok && f.Exists
}

// settingNow is the value of a setting, in the form that changes have.
func settingNow(h *inventory.Host, r plan.Resource, path string) json.RawMessage {
	switch r.Kind {
	case plan.ResourceDaemon:
		return h.Daemon.Keys[path]
	case plan.ResourceSwarm:
		return swarmNow(h.Engine.Cluster, path)
	case plan.ResourceFile:
		if r.Name == inventory.AuditRulesFile {
			return h.Audit.WhereJSON(path)
		}
		if group, ok := plan.MembersOf(path); ok {
			return membersNow(h.Group, group)
		}
		f := h.Files[r.Name]
		switch path {
		case "owner":
			return fmt.Appendf(nil, `"%d:%d"`, f.UID, f.GID)
		case "mode":
			return fmt.Appendf(nil, `"%04o"`, f.Mode.Perm())
		}
		return nextSocket(h, r.Name, path)
	}
	c := h.Find(r.ID)
	if c == nil {
		return nil
	}
	if target, setting, ok := plan.MountOf(path); ok {
		return mountNow(c, target, setting)
	}
	if target, ok := plan.VolumeOf(path); ok {
		return volumeNow(c, target)
	}
	if name, ok := plan.SecretOf(path); ok {
		return secretNow(c, name)
	}
	if path == plan.NetworksPath {
		names, err := json.Marshal(slices.Sorted(maps.Keys(c.Inspect.NetworkSettings.Networks)))
		if err != nil {
			return nil
		}
		return names
	}
	value := c.Raw
	for key := range strings.SplitSeq(path, ".") {
		var fields map[string]json.RawMessage
		if json.Unmarshal(value, &fields) != nil {
			return nil
		}
		value = fields[key]
	}
	return value
}

// swarmNow is a setting of the swarm; nil: this host manages none.
func swarmNow(s *inventory.SwarmCluster, setting string) json.RawMessage {
	switch {
	case s == nil:
	case setting == plan.AutoLockPath:
		return fmt.Appendf(nil, "%t", s.AutoLock)
	case setting == plan.CertExpiryPath:
		return fmt.Appendf(nil, "%d", s.CertExpiry)
	}
	return nil
}

// membersNow is who is in a group; nil: it is another one that the engine gives its socket to now.
func membersNow(g inventory.Group, name string) json.RawMessage {
	if g.Name != name {
		return nil
	}
	names, err := json.Marshal(slices.Concat([]string{}, g.Listed))
	if err != nil {
		return nil
	}
	return names
}

// nextSocket is a setting of the unit that makes a socket; nil: nothing is known of it.
func nextSocket(h *inventory.Host, name, setting string) json.RawMessage {
	for _, f := range h.EngineFiles {
		if f.Resolved != name || f.Socket == nil || f.Socket.Problem != "" {
			continue
		}
		switch setting {
		case "SocketUser":
			return fmt.Appendf(nil, "%q", f.Socket.User)
		case "SocketGroup":
			return fmt.Appendf(nil, "%q", f.Socket.Group)
		case "SocketMode":
			return fmt.Appendf(nil, "%q", f.Socket.Mode)
		}
	}
	return nil
}

// mountNow is a setting of one mount of a container; nil: there is none in that place.
func mountNow(c *inventory.Container, target, setting string) json.RawMessage {
	for _, m := range c.Inspect.Mounts {
		switch {
		case m.Destination != target:
		case setting == plan.MountWritable:
			return fmt.Appendf(nil, "%t", m.RW)
		default:
			return fmt.Appendf(nil, "%q", m.Propagation)
		}
	}
	return nil
}

// volumeNow is where a container has what is in a directory: in a volume of this tool's; nil: elsewhere.
func volumeNow(c *inventory.Container, target string) json.RawMessage {
	for _, m := range c.Inspect.Mounts {
		if m.Destination == target && m.Type == "volume" && m.RW && strings.HasPrefix(m.Name, plan.VolumeName) {
			return fmt.Appendf(nil, "%q", plan.VolumeOwn)
		}
	}
	return nil
}

// secretNow is where a container has the value of a variable: in a file, if nothing else says what it is; nil: nowhere.
func secretNow(c *inventory.Container, name string) json.RawMessage {
	switch file := plan.SecretFileVariable(name); {
	case c.Variable(name).Times > 0:
		return fmt.Appendf(nil, "%q", plan.SecretInEnvironment)
	case c.Variable(file).Times == 1 && slices.ContainsFunc(c.Inspect.Mounts, func(m inventory.Mount) bool {
		return m.Destination == plan.SecretFile(name) && m.Type == "bind" && !m.RW
	}):
		return fmt.Appendf(nil, "%q", plan.SecretFile(name))
	}
	return nil
}

// sameJSON compares values; null, nothing and an empty list are one: the engine tells them apart
// differently by version.
func sameJSON(a, b json.RawMessage) bool { return bytes.Equal(flat(a), flat(b)) }

func flat(raw json.RawMessage) []byte {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	if list, ok := v.([]any); ok && len(list) == 0 || v == nil {
		return nil
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}
