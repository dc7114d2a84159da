package inventory

import (
	"github.com/tidwall/gjson"

	"docker-harden/plan/scan"
)

// ScansOf are the reports of scanners about the image of a container.
func (h *Host) ScansOf(c *Container) []*scan.Report {
	image := h.Images[c.Inspect.Image]
	var digests []string
	for _, d := range gjson.GetBytes(image.Raw, "RepoDigests").Array() {
		digests = append(digests, d.String())
	}
	var out []*scan.Report
	for _, r := range h.Scans {
		if r.About(c.Inspect.Image, digests, image.RepoTags) {
			out = append(out, r)
		}
	}
	return out
}
