package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
)

// Secret is the value of a variable that a container reads from a file of the host. The value itself is not in it.
type Secret struct {
	Variable string `json:"variable"`
	Source   string `json:"source"` // the file, on the engine's host
}

// moveSecret makes a planned move of one variable's value. From the plan comes only which one: where the file is, on
// the host and in the container, is not for a plan to say.
func (b *builder) moveSecret(c plan.Change, name string) error {
	from, to := encode(plan.SecretInEnvironment), encode(plan.SecretFile(name))
	if string(c.From) != string(from) || string(c.To) != string(to) {
		return fmt.Errorf("cannot change %s from %s to %s: a recreate only moves a value from %s to %s", c.Path, c.From, c.To, from, to)
	}
	env := b.config.strings("Env")
	if err := b.movable(env, name); err != nil {
		return err
	}
	if b.src.SecretsDir == "" || !path.IsAbs(b.src.SecretsDir) {
		return errors.New("internal error: no directory for values of variables")
	}
	secret := Secret{Variable: name, Source: path.Join(b.src.SecretsDir, name)}
	variable, target := plan.SecretFileVariable(name), plan.SecretFile(name)
	env[slices.IndexFunc(env, func(entry string) bool { return sets(entry, name) })] = variable + "=" + target
	b.config.set("Env", env)
	b.transform("Config.Env", name+" is read from a file")
	// A mount of this kind is refused where the file is missing; one of Binds would make a directory in its place.
	list := append(b.host.objects("Mounts"), object{
		"Type": encode("bind"), "Source": encode(secret.Source), "Target": encode(target), "ReadOnly": encode(true),
	})
	b.host.set("Mounts", list)
	b.transform(mounts, "the file with "+name+" is mounted")
	b.req.Secrets = append(b.req.Secrets, secret)
	return nil
}

// movable refuses a variable whose value could not be moved without losing something.
func (b *builder) movable(env []string, name string) error {
	variable, target := plan.SecretFileVariable(name), plan.SecretFile(name)
	times := 0
	for _, entry := range env {
		value, ok := strings.CutPrefix(entry, name+"=")
		switch {
		case sets(entry, variable):
			return fmt.Errorf("%w: %s is set beside %s", ErrStale, variable, name)
		case !ok:
			continue
		case value == "" || strings.HasSuffix(value, "\n"):
			return fmt.Errorf("cannot move the value of %s into a file: it is empty, or ends with a line break that would be lost", name)
		case strings.ContainsRune(value, '\uFFFD'):
			return fmt.Errorf("cannot move the value of %s into a file: the engine does not show all bytes of it", name)
		}
		times++
	}
	if times != 1 {
		return fmt.Errorf("%w: %s is set %d times, the plan expected once", ErrStale, name, times)
	}
	var image struct{ Config struct{ Env []string } }
	if err := json.Unmarshal(b.src.Image, &image); err != nil {
		return fmt.Errorf("cannot read the image's description: %w", err)
	}
	if slices.ContainsFunc(image.Config.Env, func(entry string) bool { return sets(entry, name) || sets(entry, variable) }) {
		return fmt.Errorf("cannot move the value of %s into a file: the image sets the variable too", name)
	}
	for _, m := range b.old.Mounts {
		if at := path.Clean(m.Destination); at == target || m.Type != "tmpfs" && strings.HasPrefix(target, strings.TrimSuffix(at, "/")+"/") {
			return fmt.Errorf("cannot move the value of %s into a file: something is mounted on %s already", name, at)
		}
	}
	return nil
}

// sets reports whether an entry of an environment is a variable's.
func sets(entry, name string) bool {
	key, _, ok := strings.Cut(entry, "=")
	return ok && key == name
}

// SecretValue is the value of a variable in the environment of a container.
func SecretValue(inspect json.RawMessage, name string) (string, error) {
	c, err := parse(inspect)
	if err != nil {
		return "", err
	}
	for _, entry := range c.Config.strings("Env") {
		if sets(entry, name) {
			return strings.TrimPrefix(entry, name+"="), nil
		}
	}
	return "", fmt.Errorf("%w: %s is not set", ErrStale, name)
}

// secretMount is the mount that a request makes for a value in a place where nothing was mounted; nil: none. The engine
// makes a slave of a mount whose source begins like its own directory, as /var/lib/docker-harden begins like
// /var/lib/docker, and takes no other request there. With a file it comes to the same: nothing is mounted below one.
func (d *differ) secretMount(target string, is *mount) *mount {
	for _, s := range d.req.Secrets {
		if plan.SecretFile(s.Variable) != target {
			continue
		}
		propagation := "rprivate"
		if is != nil && is.Propagation == "rslave" {
			propagation = is.Propagation
		}
		return &mount{Type: "bind", Source: s.Source, Destination: target, Propagation: propagation}
	}
	return nil
}
