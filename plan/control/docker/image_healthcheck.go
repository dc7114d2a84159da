package docker

import (
	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func imageHealthcheck() control.Control {
	return control.Control{
		ID:    "docker/image-healthcheck",
		Title: "The image says how its service is checked",
		Why:   "Denial of service: an image without a HEALTHCHECK leaves it to everybody who runs it to think of one.",
		Risk:  "Nothing is changed: the check is part of the image.",
		Fix:   "By hand: add a HEALTHCHECK to the Dockerfile and build the image anew; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.6", "cis-docker-1.6.0": "4.6", "cis-docker-1.8.0": "4.6", "stride": "D",
		},
		Class:     control.Reported,
		Verified:  "configuration of the image that it runs (image inspect)",
		Severity:  plan.RiskLow,
		Container: judgeImageHealthcheck,
	}
}

func judgeImageHealthcheck(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	image, ok := h.Images[c.Inspect.Image]
	if !ok || image.Missing || image.Raw == nil {
		return verdict(plan.Unknown, "its image could not be read")
	}
	if check := gjson.GetBytes(image.Raw, "Config.Healthcheck.Test.0"); check.Exists() && check.Str != "NONE" {
		return verdict(plan.Pass, "its image has a check")
	}
	return reported(verdict(plan.Fail, "its image has no check"), plan.NeedsImageRebuild, "add a HEALTHCHECK to the Dockerfile")
}
