package docker

import (
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const (
	setuidRemovedID = "docker/setuid-removed"
	sourceLayers    = "the layers of the image"
)

func setuidRemoved() control.Control {
	return control.Control{
		ID:    setuidRemovedID,
		Title: "Images have no setuid programs that the service does not need",
		Why:   "Elevation of privilege: a setuid program turns any user of a container into its root. no-new-privileges stops that at run time.",
		Risk:  "Nothing is changed: files are part of the image.",
		Fix:   "By hand: take the bits away when the image is built (RUN chmod a-s FILE, setcap -r FILE), and list in the profile what the service needs (allow); or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.8", "cis-docker-1.6.0": "4.8", "cis-docker-1.8.0": "4.8", "stride": "E",
		},
		Class:    control.Reported,
		Verified: "modes and capabilities of the files in the image's layers; where these cannot be read " + attestedWord,
		Severity: plan.RiskLow,
		Programs: true,
		Params: []profile.Param{
			{Name: "allow", Type: profile.TypeList, Default: []string(nil), Doc: "paths of programs with setuid, setgid or file capabilities that the image may have"},
			{Name: "attested", Type: profile.TypeText, Default: "", Doc: "how this is seen to and by whom, in a person's words, for images whose files cannot be read"},
		},
		Container: judgeSetuidRemoved,
	}
}

func judgeSetuidRemoved(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	programs := h.Images[c.Inspect.Image].Programs
	if programs == nil || programs.Problem != "" {
		return unseenPrograms(c, programs, p)
	}
	var left []string
	for _, program := range programs.Found {
		if !slices.Contains(p.List("allow"), program.Path) {
			left = append(left, plainName(program.Path)+" ("+givesWhat(program)+")")
		}
	}
	f := verdict(plan.Pass, "its image has none")
	if len(programs.Found) > 0 {
		f.Message = "its image has only those that the profile allows"
		f.Evidence = []plan.Evidence{evidence("in the image", sourceLayers, "%s", counted(len(programs.Found), "program"))}
	}
	switch {
	case len(left) == 0 && programs.Partial:
		f.Status, f.Message = plan.Unknown, "not all of its image could be looked through"
		return f
	case len(left) == 0:
		return f
	}
	const most = 8 // named in a message; the evidence has all
	f.Evidence = []plan.Evidence{evidence("in the image", sourceLayers, "%s", strings.Join(left, ", "))}
	words := strings.Join(left[:min(most, len(left))], ", ")
	if len(left) > most {
		words += ", …"
	}
	f.Message = "its image has programs that give privileges to who executes them: " + words
	return reported(f, plan.NeedsImageRebuild, "take the bits away when the image is built (RUN chmod a-s, setcap -r), and list what the service needs in allow")
}

// unseenPrograms leaves to a person what could not be seen.
func unseenPrograms(c *inventory.Container, programs *record.Programs, p profile.Params) plan.Finding {
	if words := p.Text("attested"); words != "" {
		return verdict(plan.Pass, "attested in the profile: %s", words)
	}
	why := "nobody looked"
	if programs != nil {
		why = programs.Problem
	}
	f := verdict(plan.Manual, "the files of its image could not be read: %s", why)
	f.Reason = plan.NeedsAttestation
	return ask(f, "Are setuid and setgid bits taken away when the image is built?", answerContainer(c, setuidRemovedID, `attested: "…"`))
}

// givesWhat says what executing a program gives.
func givesWhat(p record.Program) string {
	var out []string
	if p.Setuid {
		out = append(out, "setuid")
	}
	if p.Setgid {
		out = append(out, "setgid")
	}
	if p.Gives != "" {
		out = append(out, "capabilities")
	}
	return strings.Join(out, ", ")
}
