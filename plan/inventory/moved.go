package inventory

import (
	"path"
	"strings"

	"docker-harden/plan"
)

// MovedSecret is a variable whose value stands in a file that this tool made, and that file as it is on the host.
type MovedSecret struct {
	Variable string `json:"variable"`
	File     File   `json:"file"` // without its content
	Problem  string `json:"problem,omitempty"`
}

// movedSecrets looks at the files that a container has in place of variables. Files that somebody else mounted there
// are not among them: whom they belong to is decided by who made them.
func (r hostRoot) movedSecrets(c *Container) []MovedSecret {
	var out []MovedSecret
	for _, m := range c.Inspect.Mounts {
		name := path.Base(m.Source)
		if m.Type != "bind" || !plan.IsSecretVariable(name) || m.Destination != plan.SecretFile(name) || path.Base(path.Dir(path.Dir(m.Source))) != "secrets" ||
			c.Variable(plan.SecretFileVariable(name)).Times == 0 {
			continue
		}
		moved := MovedSecret{Variable: name}
		var err error
		if moved.File, err = r.statFile(path.Clean(m.Source)); err != nil {
			moved.Problem = explain(err).Error()
		}
		out = append(out, moved)
	}
	return out
}

// Loose says why a file is not root's alone, and by which command it becomes that; empty: it is.
func (m MovedSecret) Loose() (why, todo string) {
	const alone = 0o400
	f := m.File
	place := shellQuoted(f.Path)
	switch {
	case !f.Exists:
		return "is gone from the host, without which the container does not start again", "write the value to " + place + " again, as root's with mode 0400"
	case f.Type != "":
		return "is a " + f.Type, "put a file in the place of " + place
	case f.UID != 0 || f.GID != 0 || unixMode(f.Mode)&^alone != 0:
		return "is not root's alone", "run chown root:root " + place + " && chmod 0400 " + place
	}
	return "", ""
}

// shellQuoted is a path as one word of a command.
func shellQuoted(name string) string { return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'" }
