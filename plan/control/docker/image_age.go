package docker

import (
	"time"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func imageAge() control.Control {
	return control.Control{
		ID:    "docker/image-age",
		Title: "The image was built lately",
		Why:   "Elevation of privilege: fixes come with new images only, so that an old one has every hole that was found since it was built.",
		Risk:  "Nothing is changed: a new image is a new version of the service.",
		Fix:   "By hand: build or pull the image anew, with a base of today, and make the container anew from it; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.4", "cis-docker-1.6.0": "4.4", "cis-docker-1.8.0": "4.4", "stride": "E,I",
		},
		Params: []profile.Param{{
			Name: "days", Type: profile.TypeInt, Default: int64(365), Min: 1, Max: 3650,
			Doc: "after how many days an image counts as old",
		}},
		Class:     control.Reported,
		Verified:  "when the image that it runs was built (image inspect)",
		Severity:  plan.RiskLow,
		Container: judgeImageAge,
	}
}

func judgeImageAge(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	image, unread := imageOf(h, c)
	if unread != nil {
		return *unread
	}
	// Images that are built to be the same each time have a date of long ago in place of the real one.
	docker := time.Date(2013, 3, 1, 0, 0, 0, 0, time.UTC)
	built, err := time.Parse(time.RFC3339Nano, gjson.GetBytes(image.Raw, "Created").String())
	if err != nil || built.Before(docker) {
		return verdict(plan.Unknown, "its image does not say when it was built")
	}
	days := int64(h.Taken.Sub(built).Hours() / 24)
	day := built.UTC().Format(time.DateOnly)
	if days <= p.Int("days") {
		return verdict(plan.Pass, "its image was built on %s", day)
	}
	f := verdict(plan.Fail, "its image was built on %s, %d days ago", day, days)
	return reported(f, plan.NeedsImageRebuild, "build or pull the image anew")
}
