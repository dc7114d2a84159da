package docker

import (
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// imageOf is the image of a container, or the verdict when it cannot be judged.
func imageOf(h *inventory.Host, c *inventory.Container) (inventory.Image, *plan.Finding) {
	image, ok := h.Images[c.Inspect.Image]
	if !ok || image.Missing || image.Raw == nil {
		f := verdict(plan.Unknown, "its image could not be read")
		return image, &f
	}
	return image, nil
}

// builtFrom is the image of a container with its history, or the verdict when it cannot be judged.
func builtFrom(h *inventory.Host, c *inventory.Container) (inventory.Image, *plan.Finding) {
	image, unread := imageOf(h, c)
	if unread != nil {
		return image, unread
	}
	var f plan.Finding
	switch {
	case image.HistoryProblem != "":
		f = verdict(plan.Unknown, "%s", image.HistoryProblem)
	case image.History == nil:
		f = verdict(plan.Unknown, "how its image was built was not looked at")
	default:
		return image, nil
	}
	return image, &f
}

// instruction is a step of a build as the Dockerfile had it: the classic builder writes a shell around it.
func instruction(layer inventory.ImageLayer) string {
	command := strings.TrimSpace(layer.Command)
	if inner, ok := strings.CutPrefix(command, "/bin/sh -c #(nop)"); ok {
		return strings.TrimSpace(inner)
	}
	return command
}

// layersOf numbers the steps of a build from the oldest on and gives those that a test picks, the oldest first. The
// first step is left out: it puts the base's files into the empty image, and there is no other way to do that.
func layersOf(image *inventory.Image, picks func(command string) string) []plan.Evidence {
	var out []plan.Evidence
	n := len(image.History)
	for i := n - 2; i >= 0; i-- {
		if what := picks(instruction(image.History[i])); what != "" {
			out = append(out, evidence(fmt.Sprintf("history layer %d", n-i), "image history", "%s", what))
		}
	}
	return out
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
