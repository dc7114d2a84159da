package control

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"docker-harden/plan/inventory"
)

// recursiveSince is the engine version from which read-only binds are so with everything below them.
const recursiveSince = 25

// drifted says what has changed around a container since it was made and would show in a new one.
func drifted(h *inventory.Host, c *inventory.Container) []string {
	var notes []string
	if name := movedTag(h, c); name != "" {
		notes = append(notes, fmt.Sprintf("%s names another image now, or none: the new container is made from the same image as the old one, by its id", name))
	}
	if v, ok := ParseVersion(h.Engine.Version); ok && v[0] >= recursiveSince && len(c.Submounts) > 0 {
		notes = append(notes, fmt.Sprintf("other file systems are mounted below a read-only bind (%s): in the new container they are read-only too, which they are not in one that an older engine or client made",
			strings.Join(c.Submounts, ", ")))
	}
	return append(notes, ulimitsToCome(h, c)...)
}

// movedTag is the name a container's image was given by, if it means another image now; else empty.
func movedTag(h *inventory.Host, c *inventory.Container) string {
	image, known := h.Images[c.Inspect.Image]
	name := c.Inspect.Config.Image
	if !known || image.Missing || name == "" || strings.HasPrefix(c.Inspect.Image, name) || strings.HasPrefix(strings.TrimPrefix(c.Inspect.Image, "sha256:"), name) {
		return ""
	}
	if slices.Contains(image.RepoTags, name) || slices.Contains(image.RepoTags, name+":latest") {
		return "" // as written, which is mostly so
	}
	wanted, ok := tagged(name)
	if !ok {
		return "" // named by its digest, which cannot move
	}
	if slices.ContainsFunc(image.RepoTags, func(tag string) bool { have, ok := tagged(tag); return ok && have == wanted }) {
		return ""
	}
	return plainName(name)
}

// tagged is a name in full, with registry and tag. false: it has a digest, or is no name.
func tagged(name string) (string, bool) {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", false
	}
	if _, digested := ref.(reference.Digested); digested {
		return "", false
	}
	return reference.TagNameOnly(ref).String(), true
}

// listeners are those at a container's side who will see it end: nothing carries them over.
func listeners(c *inventory.Container) []string {
	var notes []string
	made := c.Made()
	if made.Execs > 0 {
		notes = append(notes, fmt.Sprintf("docker exec runs in it now (%d): what it started ends with the old container", made.Execs))
	}
	if made.Foreground && c.Owner.Kind == inventory.OwnedByNobody {
		notes = append(notes, "it was started in the foreground (docker run without -d): a client that is still attached sees it end")
	}
	return notes
}

// ephemeralPorts are the published ports whose host port the engine picked.
func ephemeralPorts(c *inventory.Container) []string {
	return published(c, func(port string) bool { return port == "" || port == "0" })
}

// rangePorts are the published ports that may be any of several host ports.
func rangePorts(c *inventory.Container) []string {
	return published(c, func(port string) bool { return strings.Contains(port, "-") })
}

// hostMode is the network mode of a container on the host's network, where nothing is published whatever it asks for.
const hostMode = "host"

func published(c *inventory.Container, such func(hostPort string) bool) []string {
	if c.Inspect.HostConfig.NetworkMode == hostMode {
		return nil
	}
	var out []string
	for port, bindings := range c.Inspect.HostConfig.PortBindings {
		for _, b := range bindings {
			switch {
			case !such(b.HostPort):
			case strings.Contains(b.HostPort, "-"):
				out = append(out, port+" on "+plainName(b.HostPort))
			default:
				out = append(out, port)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
