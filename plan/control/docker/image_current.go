package docker

import (
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func imageCurrent() control.Control {
	return control.Control{
		ID:    "docker/image-current",
		Title: "The container runs the image that its tag names now",
		Why:   "Elevation of privilege: a container goes on with the image it was made from, holes and all, when the tag has moved on to a fixed one.",
		Risk:  "Nothing is changed: a new image is a new version of the service.",
		Fix:   "By hand: make the container anew from the image that the tag names now; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "5.27", "cis-docker-1.6.0": "5.28", "cis-docker-1.8.0": "5.28", "stride": "E",
		},
		Class:     control.Reported,
		Verified:  "images and tags that the engine has (inspect)",
		Severity:  plan.RiskLow,
		Container: judgeImageCurrent,
	}
}

func judgeImageCurrent(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	image, ok := h.Images[c.Inspect.Image]
	name := c.Inspect.Config.Image
	switch {
	case !ok:
		return verdict(plan.Unknown, "its image could not be read")
	case image.Missing:
		return reported(verdict(plan.Fail, "the engine no longer has its image"), plan.NeedsPolicy, "make the container anew from the image of today")
	case slices.Contains(image.RepoTags, tagged(name)):
		return verdict(plan.Pass, "tag %s still names its image on this host", plainName(name))
	case strings.HasPrefix(name, "sha256:") || strings.Contains(name, "@") || strings.HasPrefix(strings.TrimPrefix(image.ID, "sha256:"), name):
		return verdict(plan.NotApplicable, "it was made from one image and not from a tag")
	}
	return reported(verdict(plan.Fail, "tag %s no longer names its image on this host", plainName(name)), plan.NeedsPolicy, "make the container anew from the image that the tag names now")
}

// tagged is an image's name with its tag, as the engine lists it.
func tagged(name string) string {
	if last := name[strings.LastIndexByte(name, '/')+1:]; !strings.Contains(last, ":") {
		name += ":latest"
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
}
