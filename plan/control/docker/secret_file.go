package docker

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/secret"
)

const (
	// giveByHand is what a person can do about a credential that this tool does not move.
	giveByHand = "give the container a file with the credential instead, for example by NAME_FILE where its image takes that"
	// fileNames is the parameter with the answer.
	fileNames = "file"
)

// judgeCredentials gives the verdict on what a container was given beyond its image.
func judgeCredentials(h *inventory.Host, c *inventory.Container, d *secret.Detector, p profile.Params) plan.Finding {
	finds := h.Credentials(c, d)
	if f, open := openFile(c); open {
		return f
	}
	switch {
	case finds == nil:
		return maskedBefore()
	case len(finds) == 0:
		return verdict(plan.Pass, "nothing that it was given looks like a credential")
	}
	f := leaked(finds, "the container", sourceInspect)
	for _, name := range p.List(fileNames) {
		if !plan.IsSecretVariable(name) {
			f.Status = plan.Fail
			f.Blocked = fmt.Sprintf("the profile's file names %q, which is not the name of a variable (letters, digits and _, not ending in _FILE)", name)
			return f
		}
	}
	return sortCredentials(h, c, finds, p.List(fileNames)).answer(f, c, p)
}

// openFile is the verdict on values that were moved into files, when one of these is not root's alone any more.
func openFile(c *inventory.Container) (plan.Finding, bool) {
	for _, m := range c.Moved {
		if m.Problem != "" {
			return verdict(plan.Unknown, "the file with %s could not be looked at: %s", m.Variable, m.Problem), true
		}
		if why, todo := m.Loose(); why != "" {
			f := verdict(plan.Fail, "the file with %s %s", m.Variable, why)
			f.Blocked = todo
			f.Evidence = []plan.Evidence{evidence("file with "+m.Variable, "stat", "owner %d:%d, mode %s", m.File.UID, m.File.GID, octal(unixMode(m.File.Mode)))}
			return f, true
		}
	}
	return plan.Finding{}, false
}

// credentialMoves are the credentials of a container by what can become of them.
type credentialMoves struct {
	changes []plan.Change
	stuck   []string // why those that the profile names cannot be moved
	ready   []string // variables that can be moved, and nobody has said so
	rest    []string // places of all others
	why     []string // why the variables among these cannot be moved
	moved   bool     // one that the profile names was moved already
}

func sortCredentials(h *inventory.Host, c *inventory.Container, finds []secret.Find, answered []string) credentialMoves {
	var m credentialMoves
	for _, find := range finds {
		name, isVariable := strings.CutPrefix(find.Place, "env ")
		if !isVariable || !plan.IsSecretVariable(name) {
			m.rest = append(m.rest, find.Place)
			continue
		}
		why := immovable(h, c, name)
		switch named := slices.Contains(answered, name); {
		case named && why == "":
			m.changes = append(m.changes, plan.Change{
				Path: plan.SecretPath(name), From: raw(plan.SecretInEnvironment), To: raw(plan.SecretFile(name)),
				Kind: plan.KindRecreate, Reversibility: plan.Exact,
			})
		case named:
			m.stuck = union(m.stuck, []string{name + ": " + why})
		case why == "":
			m.ready = append(m.ready, name)
		default:
			m.rest = append(m.rest, find.Place)
			m.why = append(m.why, name+": "+why)
		}
	}
	m.moved = slices.ContainsFunc(answered, func(name string) bool {
		return c.Variable(name).Times == 0 && c.Variable(plan.SecretFileVariable(name)).Times > 0
	})
	return m
}

// answer makes of the finding what the profile says.
func (m credentialMoves) answer(f plan.Finding, c *inventory.Container, p profile.Params) plan.Finding {
	const id = "docker/secrets-in-containers"
	switch {
	case len(m.stuck) > 0:
		f.Status, f.Blocked = plan.Fail, strings.Join(m.stuck, "; ")
	case len(m.changes) > 0:
		m.move(&f)
	case len(m.ready) > 0:
		return ask(f, fmt.Sprintf("Does anything but its start script need %s (docker exec, a program that reads the environment itself)? If not, the value can move into a file that root alone may read; what is no secret is accepted with an exception.", list(m.ready)),
			answerContainer(c, id, fmt.Sprintf("%s: [%s]", fileNames, strings.Join(union(p.List(fileNames), m.ready), ", "))))
	case m.moved:
		return ask(f, "The profile moves others of its credentials. Is this one a secret? If so, "+giveByHand+"; if not, accept it with an exception.", answerException(c, id))
	default:
		todo := giveByHand
		if len(m.why) > 0 { // those of the others are mostly the same
			todo += "; this tool does not move " + m.why[0]
		}
		return reported(f, plan.NeedsPolicy, "%s", todo)
	}
	return f
}

// move completes a finding with changes.
func (m credentialMoves) move(f *plan.Finding) {
	f.Status, f.Changes = plan.Fail, m.changes
	f.Risk = f.Risk.Raise(plan.RiskMedium, "what reads the variable from the environment without its start script (docker exec, a health check, an exporter) finds it no more")
	f.Notes = append(f.Notes,
		"each value goes into a file on this host, which root alone may read (0400), and stays there as long as a container mounts it",
		"a start script that sets the variable again leaves it in the environment of its own processes, for root to read; inspect shows it no more",
		"the value was known to everybody who may inspect the container: replace it where it is valid")
	if left := append(slices.Clone(m.ready), m.rest...); len(left) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("for now %s stay where they are, and are asked about in the next plan", list(left)))
	}
}

// immovable says why the value of a variable cannot move into a file; empty when it can.
func immovable(h *inventory.Host, c *inventory.Container, name string) string {
	if why := unreadableFile(h, c); why != "" {
		return why
	}
	if why := unreadScript(c, name); why != "" {
		return why
	}
	return clashes(h, c, name)
}

// unreadableFile says why a container could not have, or not read, a file that belongs to root alone.
func unreadableFile(h *inventory.Host, c *inventory.Container) string {
	user := c.Inspect.Config.User
	switch {
	case c.Owner.Kind == inventory.OwnedByCompose:
		return "Docker Compose would set it again from its file: there, name the value under secrets:, and NAME_FILE in place of NAME under environment:"
	case c.Owner.Kind != inventory.OwnedByNobody:
		return fmt.Sprintf("%s made the container and would set it again: change it there", c.Owner.Kind)
	case !h.Engine.Local:
		return "the file has to be on the engine's host, which could not be looked at"
	case h.Engine.Rootless, h.Engine.UsernsRemap && c.Inspect.HostConfig.UsernsMode != "host":
		return "its root is another user on the host, who may not read a file of root's"
	case h.Engine.SELinux:
		return "the engine uses SELinux, under which a container may read only files that are labelled for it"
	case !rootUser(user):
		return fmt.Sprintf("it starts as user %s, who may not read a file of root's", plainName(user))
	}
	return ""
}

// unreadScript says why its start does not read, or is not seen to read, the file that NAME_FILE names. What an
// image is called proves nothing: only the text of the script that it starts with does.
func unreadScript(c *inventory.Container, name string) string {
	variable := plan.SecretFileVariable(name)
	if c.Proc == nil || c.Proc.Entry == nil {
		return "what it starts with can be looked at only while it runs"
	}
	e := c.Proc.Entry
	switch {
	case e.Problem+e.ScriptProblem != "":
		return "what it starts with could not be looked at: " + orWord(e.Problem, e.ScriptProblem)
	case slices.Contains(e.LateSecretFiles, name):
		return fmt.Sprintf("%s reads %s only after it has given up root, as a user who may not read a file of root's", plainName(e.Path), variable)
	case !slices.Contains(e.SecretFiles, name):
		return fmt.Sprintf("nothing in %s shows that it reads %s", plainName(e.Path), variable)
	}
	return ""
}

// clashes says what is in the way of one variable.
func clashes(h *inventory.Host, c *inventory.Container, name string) string {
	variable, target := plan.SecretFileVariable(name), plan.SecretFile(name)
	image, ok := h.Images[c.Inspect.Image]
	is := c.Variable(name)
	switch {
	case !ok || image.Missing:
		return "its image could not be read"
	case c.Variable(variable).Times > 0:
		return fmt.Sprintf("%s is set beside it, and start scripts refuse both: take one of them away", variable)
	case image.Variable(name).Times > 0 || image.Variable(variable).Times > 0:
		return "its image sets it too, and would set it again"
	case is.Times != 1:
		return "it is set more than once"
	case is.LineBreak:
		return "its value ends with a line break, which start scripts drop when they read a file"
	case !slices.Equal(c.Inspect.Config.Entrypoint, image.Entrypoint):
		return "its entrypoint is not that of its image"
	case !sameProgram(c.Inspect.Config.Cmd, image.Cmd):
		return "it runs another program than its image does, which its start script may pass the variable on to"
	case mentions(c.Inspect.Config.Cmd, name):
		return "its command uses it"
	case c.Inspect.Config.Healthcheck != nil && mentions(c.Inspect.Config.Healthcheck.Test, name):
		return "its health check uses it"
	}
	if at := mountedOver(c, target); at != "" {
		return fmt.Sprintf("something is mounted on %s already, below which the file would be put", plainName(at))
	}
	return ""
}

// sameProgram reports whether a command runs the program that its image runs, with whatever options.
func sameProgram(cmd, image []string) bool {
	switch {
	case len(cmd) == 0 || len(image) == 0:
		return len(cmd) == len(image)
	case cmd[0] == image[0]:
		return true
	}
	return strings.HasPrefix(cmd[0], "-") // start scripts put the program before
}

// word is a name in a command.
var word = regexp.MustCompile(`[A-Za-z_]\w*`)

// mentions reports whether a command names a variable.
func mentions(command []string, name string) bool {
	return slices.Contains(word.FindAllString(strings.Join(command, "\n"), -1), name)
}

// mountedOver is the place of a mount on a file or above it, other than the root of files in memory.
func mountedOver(c *inventory.Container, target string) string {
	for _, m := range c.Inspect.Mounts {
		at := path.Clean("/" + m.Destination)
		if at == target || strings.HasPrefix(target, strings.TrimSuffix(at, "/")+"/") && m.Type != "tmpfs" {
			return at
		}
	}
	return ""
}
