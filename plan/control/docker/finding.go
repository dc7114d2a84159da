package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// verdict is a finding with a status and a message; the frame fills in control and resource.
func verdict(s plan.Status, format string, args ...any) plan.Finding {
	if len(args) > 0 { // most say what is always the same, of every container
		format = fmt.Sprintf(format, args...)
	}
	return plan.Finding{Status: s, Message: format}
}

// answerMark stands between a question and the piece of profile that answers it.
const answerMark = " Answer in the profile: "

// ask turns a finding into a question for a person. answer is the piece of profile that answers it.
func ask(f plan.Finding, question, answer string) plan.Finding {
	f.Status, f.Changes, f.Risk, f.Notes, f.Blocked = plan.Manual, nil, plan.Risk{}, nil, ""
	f.Question = question + answerMark + answer
	return f
}

// answerHost is the piece of profile that sets parameters of a control of the engine.
func answerHost(id, params string) string {
	return fmt.Sprintf("controls: {%s: {params: {%s}}}", id, params)
}

// answerContainer is the piece of profile that sets parameters of a control for one container.
func answerContainer(c *inventory.Container, id, params string) string {
	return fmt.Sprintf("containers: [{match: %q, controls: {%s: {params: {%s}}}}]", c.Name, id, params)
}

// answerException is the piece of profile that accepts the risk for one container.
func answerException(c *inventory.Container, id string) string {
	return fmt.Sprintf(`exceptions: [{control: %s, target: %q, reason: "…", owner: "…", expires: YYYY-MM-DD}]`, id, "container/"+c.Name)
}

// acceptParam is the yes to a change that is not made without being asked for.
func acceptParam(doc string) profile.Param {
	return profile.Param{Name: "accept", Type: profile.TypeBool, Default: false, Doc: doc}
}

// raw is the JSON form of a value as it stands in daemon.json or an inspect answer. A nil slice or
// map is null, which the engine tells from an empty one.
func raw(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("cannot encode %T", v)) // the frame turns it into an unknown finding
	}
	return bytes.TrimSpace(buf.Bytes())
}

// recreateChange is one field of HostConfig that only a new container can have.
func recreateChange(field string, from, to any) plan.Change {
	return plan.Change{Path: "HostConfig." + field, From: raw(from), To: raw(to), Kind: plan.KindRecreate, Reversibility: plan.Exact}
}

// updateChange is one field of HostConfig that can be changed while the container runs. note names
// the difference that a rollback leaves; empty when it leaves none.
func updateChange(field string, from, to any, note string) plan.Change {
	c := plan.Change{Path: "HostConfig." + field, From: raw(from), To: raw(to), Kind: plan.KindUpdate, Reversibility: plan.Exact}
	if note != "" {
		c.Reversibility, c.ReverseNote = plan.Functional, note
	}
	return c
}

// differing leaves out changes that change nothing.
func differing(list ...plan.Change) []plan.Change {
	return slices.DeleteFunc(list, func(c plan.Change) bool { return bytes.Equal(c.From, c.To) })
}

func evidence(name, source, format string, args ...any) plan.Evidence {
	return plan.Evidence{Name: name, Value: fmt.Sprintf(format, args...), Source: source}
}
