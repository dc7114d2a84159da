package docker

import (
	"regexp"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func updateAlone() control.Control {
	return control.Control{
		ID:    "docker/update-alone",
		Title: "Package lists are not updated in a layer of their own",
		Why:   "Tampering: a layer that only updates package lists is cached, and later builds install old, known holes from it.",
		Risk:  "Nothing is changed: how an image was built is part of it.",
		Fix:   "By hand: update the lists and install in one instruction of the Dockerfile and build the image anew; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.7", "cis-docker-1.6.0": "4.7", "cis-docker-1.8.0": "4.7", "stride": "T",
		},
		Class:     control.Reported,
		Verified:  "history of the image that it runs (GET /images/ID/history)",
		Severity:  plan.RiskLow,
		History:   true,
		Container: judgeUpdateAlone,
	}
}

// manager is how a package manager is told to get its lists, and to install or upgrade from them.
type manager struct {
	name            string
	update, install *regexp.Regexp
}

// managers are those of the distributions that images are mostly built on. yum and dnf install what "update" names:
// only makecache and check-update leave lists behind.
var managers = []manager{
	{"apt", call(`(apt-get|aptitude|apt)`, `update`), call(`(apt-get|aptitude|apt)`, `(install|upgrade|dist-upgrade|full-upgrade|build-dep|safe-upgrade)`)},
	{"apk", call(`apk`, `update`), call(`apk`, `(add|upgrade|fix)`)},
	{"dnf", call(`(dnf5?|yum|microdnf)`, `(makecache|check-update)`), call(`(dnf5?|yum|microdnf)`, `(install|upgrade|update|groupinstall|builddep)`)},
	{"zypper", call(`zypper`, `(refresh|ref)`), call(`zypper`, `(install|in|update|up|patch|dist-upgrade|dup)`)},
	{"pacman", call(`pacman`, `-Syy?`), call(`pacman`, `-S(yy?)?u\S*|\bpacman\b[^|;&]*\s-Syy?\s+[^\s-]`)},
}

// call finds a command with one of its subcommands, whatever options stand between.
func call(program, word string) *regexp.Regexp {
	return regexp.MustCompile(`\b` + program + `\b[^|;&]*\s(` + word + `)(\s|$|[;&|])`)
}

func judgeUpdateAlone(h *inventory.Host, c *inventory.Container, _ profile.Params) plan.Finding {
	image, unread := builtFrom(h, c)
	if unread != nil {
		return *unread
	}
	layers := layersOf(&image, func(command string) string {
		for _, m := range managers {
			if m.update.MatchString(command) && !m.install.MatchString(command) {
				return m.name + " updates its lists and installs nothing"
			}
		}
		return ""
	})
	if len(layers) == 0 {
		return verdict(plan.Pass, "no build step of its image only updates package lists")
	}
	f := verdict(plan.Fail, "package lists are updated in %s of their own", counted(len(layers), "build step"))
	f.Evidence = layers
	return reported(f, plan.NeedsImageRebuild, "update lists and install packages in one instruction of the Dockerfile")
}
