package profile

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"docker-harden/plan"
)

// ControlDoc is what [Init] writes about a control.
type ControlDoc struct {
	ID, Title string
	Params    []Param
}

// Init writes a profile to edit: it extends the profile named from (an embedded one, or one in
// [DefaultDir]) and lists every control with its parameters as comments. It loads as it is.
func Init(w io.Writer, from string, docs []ControlDoc) error {
	return initFrom(w, from, DefaultDir, docs)
}

func initFrom(w io.Writer, from, dir string, docs []ControlDoc) error {
	if !nameForm.MatchString(from) {
		return fmt.Errorf("cannot extend %q: give the name of a profile (%s), not a path", from, strings.Join(Names(), ", "))
	}
	catalog := make(Catalog, len(docs))
	for _, doc := range docs {
		catalog[doc.ID] = doc.Params
	}
	parent, err := open(from, dir, catalog)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, initHead, Format, from, from)
	for _, doc := range docs {
		initControl(&b, parent, doc)
	}
	fmt.Fprintf(&b, initTail, cmp.Or(parent.Recreate.WritableLayer, plan.LayerCarry))
	_, err = b.WriteTo(w)
	return err
}

const initHead = `# A docker-harden profile. Check it with: docker-harden profile validate FILE
format: %s
name: my-host
description: What this host must look like
# Everything the extended profile says holds, unless this file says otherwise.
extends: %s

# What to judge. Remove the "# " in front of a control and its parameters to change it:
#   docker/x: {}             turns it on
#   docker/x: {params: ...}  turns it on with these parameters
#   docker/x: off            turns it off
# The values below are those that hold now, through %s.
controls:
`

const initTail = `
# How containers are recreated. Files that were written into a container and not into a volume are in its writable layer:
# carry copies them into the new container, refuse leaves such a container as it is and says so. They are never dropped.
recreate:
# writable_layer: %s

# Other parameters, or no judgement, for single containers. match is a pattern of container names; later entries win.
containers:
# - match: "shop-*"
#   controls:
#     docker/capabilities: {params: {keep: [NET_RAW]}}
#     docker/pids-limit: off
#   recreate: {writable_layer: refuse}

# Accepted risks. They need a reason and an owner; after the last day (UTC) the finding fails again.
exceptions:
# - control: docker/privileged
#   target: container/build-agent     # or daemon, swarm, host, host/PATH; * matches within a name
#   reason: builds images with its own engine until the new builder is ready
#   owner: platform team
#   expires: 2030-12-31
`

func initControl(b *bytes.Buffer, parent *Profile, doc ControlDoc) {
	params, on := parent.ParamsFor(doc.ID, "", doc.Params)
	state := "on"
	if !on {
		state = "off"
	}
	fmt.Fprintf(b, "\n  # %s (%s)\n", oneLine(doc.Title), state)
	if len(doc.Params) == 0 {
		fmt.Fprintf(b, "  # %s: {}\n", doc.ID)
		return
	}
	fmt.Fprintf(b, "  # %s:\n  #   params:\n", doc.ID)
	for _, spec := range doc.Params {
		fmt.Fprintf(b, "  #     %s: %s   # %s\n", spec.Name, FormatValue(params[spec.Name], spec.Type), oneLine(spec.Describe()))
	}
}

// Describe words a parameter's declaration on one line: "a size, 16MiB to 1TiB: the smallest limit".
func (s Param) Describe() string {
	text := string(s.Type)
	switch {
	case s.Type == TypeChoice:
		text = strings.Join(s.Choices, " or ")
	case s.Max > s.Min:
		text += ", " + bound(s, s.Min) + " to " + bound(s, s.Max)
	}
	if s.Doc != "" {
		text += ": " + s.Doc
	}
	return text
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
