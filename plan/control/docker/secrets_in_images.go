package docker

import (
	"fmt"
	"strings"
	"sync"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/secret"
)

// imageFinds remembers what was found in the images of one host: many containers may run one image.
type imageFinds struct {
	detector *secret.Detector
	mu       sync.Mutex // containers are judged several at once
	host     *inventory.Host
	byID     map[string][]secret.Find
}

// of looks into an image; id is the one by which the host has it.
func (m *imageFinds) of(h *inventory.Host, id string, i *inventory.Image) []secret.Find {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.host != h {
		m.host, m.byID = h, map[string][]secret.Find{}
	}
	finds, known := m.byID[id]
	if !known {
		finds = h.ImageCredentials(i, m.detector)
		m.byID[id] = finds
	}
	return finds
}

func secretsInImages(d *secret.Detector) control.Control {
	seen := &imageFinds{detector: d}
	return control.Control{
		ID:    "docker/secrets-in-images",
		Title: "Images hold no secrets",
		Why:   "Information disclosure: whoever can pull an image, or reads its history, has every secret that was ever in one of its layers.",
		Risk:  "Nothing is changed: what is in an image, or was said when it was built, stays in it.",
		Fix:   "By hand: replace the credential where it is valid, because it is known now; give it to a build with RUN --mount=type=secret and to a container with a file, and build the image anew. Accept what is no secret with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.10", "cis-docker-1.6.0": "4.10", "cis-docker-1.8.0": "4.10", "stride": "I",
		},
		Class:    control.Reported,
		Verified: "environment, labels, command lines and history of the image that it runs (image inspect, GET /images/ID/history); its files are not looked at",
		Severity: plan.RiskHigh,
		History:  true,
		Container: func(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
			image, unread := imageOf(h, c)
			if unread != nil {
				return *unread
			}
			finds := seen.of(h, c.Inspect.Image, &image)
			switch {
			case finds == nil:
				return maskedBefore()
			case len(finds) > 0:
				return reported(leaked(finds, "its image", "image"), plan.NeedsImageRebuild,
					"replace the credential where it is valid, and build the image without it")
			}
			if _, unread := builtFrom(h, c); unread != nil {
				return *unread
			}
			return verdict(plan.Pass, "nothing in the configuration and history of its image looks like a credential")
		},
	}
}

// maskedBefore is the verdict on a snapshot of a version that did not look.
func maskedBefore() plan.Finding {
	return verdict(plan.Unknown, "the snapshot does not say whether there were credentials; make it again")
}

// leaked is the finding about credentials: where they are and by which rule they were found, never what they are.
func leaked(finds []secret.Find, where, source string) plan.Finding {
	const most = 5
	var places []string
	var f plan.Finding
	for _, find := range finds {
		if len(places) < most {
			places = append(places, find.Place)
		}
		f.Evidence = append(f.Evidence, evidence(find.Place, source, "*** (%s), found by rule %s", find.Length, find.Rule))
	}
	more := ""
	if len(finds) > most {
		more = fmt.Sprintf(" and %d more", len(finds)-most)
	}
	looks := "look like credentials"
	if len(finds) == 1 {
		looks = "looks like a credential"
	}
	f.Message = fmt.Sprintf("%s of %s %s: %s%s", counted(len(finds), "setting"), where, looks, strings.Join(places, ", "), more)
	return f
}
