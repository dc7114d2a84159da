package docker

import (
	"regexp"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func copyNotAdd() control.Control {
	return control.Control{
		ID:    "docker/copy-not-add",
		Title: "Dockerfiles use COPY and not ADD",
		Why:   "Tampering: ADD fetches from the network unchecked and unpacks what it gets.",
		Risk:  "Nothing is changed: how an image was built is part of it.",
		Fix:   "By hand: use COPY in the Dockerfile, and RUN with a checked download where something is fetched; build the image anew. Accept it with an exception where an archive has to be unpacked.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.9", "cis-docker-1.6.0": "4.9", "cis-docker-1.8.0": "4.9", "stride": "T",
		},
		Class:     control.Reported,
		Verified:  "history of the image that it runs (GET /images/ID/history)",
		Severity:  plan.RiskLow,
		History:   true,
		Container: judgeCopyNotAdd,
	}
}

// addition finds ADD, and what it adds from the network.
var addition = regexp.MustCompile(`^ADD\s+(?:--\S+\s+)*((?i:https?://|git@|git://))?`)

func judgeCopyNotAdd(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	image, unread := builtFrom(h, c)
	if unread != nil {
		return *unread
	}
	layers := layersOf(&image, func(command string) string {
		switch m := addition.FindStringSubmatch(command); {
		case m == nil:
			return ""
		case m[1] != "":
			return "ADD from the network"
		}
		return "ADD of files or an archive"
	})
	if len(layers) == 0 {
		return verdict(plan.Pass, "nothing was added to its image but by COPY")
	}
	f := verdict(plan.Fail, "%s of its image added something with ADD", counted(len(layers), "build step"))
	f.Evidence = layers
	return reported(f, plan.NeedsImageRebuild, "use COPY in the Dockerfile")
}
