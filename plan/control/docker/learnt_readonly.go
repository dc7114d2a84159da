package docker

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

var (
	// systemPlaces hold the programs and the settings of an image: what writes there changes itself.
	systemPlaces = []string{"/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr"}
	// broadPlaces hold what belongs to many: a volume in place of one of them is for a person to want.
	broadPlaces = []string{"/home", "/opt", "/var"}
	// volatilePlaces hold what nobody misses after a start.
	volatilePlaces = []string{"/run", "/tmp", "/var/cache", "/var/lock", "/var/run", "/var/tmp"}
)

// below reports whether a place is one of these or in one.
func below(place string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return place == dir || strings.HasPrefix(place, dir+"/") })
}

// answerReadOnly finds the places that get a tmpfs or a volume, by what was written in a whole life of the container.
// Where one can be neither there is no answer.
func answerReadOnly(h *inventory.Host, c *inventory.Container, p learntRule) (LearntAnswer, bool) {
	if c.Inspect.HostConfig.ReadonlyRootfs {
		return LearntAnswer{}, false
	}
	a := LearntAnswer{Control: "docker/read-only-rootfs"}
	w := c.Learnt.Writes
	switch gaps := c.Learnt.LifeGaps(); {
	case len(gaps) > 0:
		a.Refused = notSeen(gaps)
	case w.Problem != "" || w.DirsProblem != "":
		a.Refused = "where it writes was not seen: " + cmp.Or(w.Problem, w.DirsProblem)
	case w.Files > 0 && len(w.Dirs) == 0:
		a.Refused = "where it writes was not written down; learn again"
	case w.DirsPartial:
		a.Refused = "it writes to more places than were written down"
	case h.Engine.UsernsRemap && c.Inspect.HostConfig.UsernsMode != "host":
		a.Refused = "its users have other numbers outside, so owners of places cannot be given"
	default:
		a.places(h, c, p)
	}
	return a, true
}

// places gives every written place a tmpfs or a volume, or says which can have neither.
func (a *LearntAnswer) places(h *inventory.Host, c *inventory.Container, p learntRule) {
	dirs := c.Learnt.Writes.Dirs
	tmpfs, volumes := []string{}, p.List(paramVolumes)
	done := slices.Clone(volumes)
	var refused []string
	for _, text := range p.List("tmpfs") {
		at, _, _ := strings.Cut(text, ":")
		done, tmpfs = append(done, path.Clean(at)), append(tmpfs, text)
	}
	for _, d := range dirs {
		if below(d.Path, done) {
			continue
		}
		why, word := unfit(d), "tmpfs"
		line := tmpfsLine(d)
		if keeps := keeping(d); why == "" && keeps != "" {
			why, word, line = noRoom(h, c, d, done), "volume", volumeLine(d, keeps)
			if why != "" {
				why = keeps + ": " + why
			}
		}
		if why == "" && p.unsure(line.Sure) {
			why = fmt.Sprintf("a %s on %s is only of %s confidence", word, plainName(d.Path), line.Sure)
		}
		if why != "" {
			refused = append(refused, why)
			continue
		}
		done, a.Why = append(done, d.Path), append(a.Why, line)
		if word == "volume" {
			volumes = append(volumes, d.Path)
		} else {
			tmpfs = append(tmpfs, fmt.Sprintf("%s:uid=%d,gid=%d,mode=%04o", d.Path, d.UID, d.GID, d.Mode))
		}
	}
	if len(refused) > 0 {
		a.Refused, a.Why = strings.Join(refused, "; "), nil
		return
	}
	if len(dirs) == 0 {
		a.Why = append(a.Why, LearntLine{"it wrote nothing into its root file system since it was made", sureHigh})
	}
	a.Params = []LearntParam{{"accept", true}, {"tmpfs", tmpfs}}
	if len(volumes) > 0 {
		a.Params = append(a.Params, LearntParam{paramVolumes, volumes})
	}
	a.Params = append(a.Params, LearntParam{"learnt", c.Work().ID()})
}

// tmpfsLine is why a place gets a tmpfs.
func tmpfsLine(d record.Dir) LearntLine {
	name := plainName(d.Path)
	switch {
	case d.Image == record.ImageAbsent:
		return LearntLine{fmt.Sprintf("tmpfs on %s: it makes that itself, and finds it there then", name), sureLow}
	case below(d.Path, volatilePlaces):
		return LearntLine{fmt.Sprintf("tmpfs on %s: it writes there, and the image has nothing in it; owner and mode are those it has now", name), sureHigh}
	}
	return LearntLine{fmt.Sprintf("tmpfs on %s: it writes there, and the image has nothing in it; owner and mode are those it has now", name), sureMedium}
}

// volumeLine is why a place gets a volume. Nothing of it is lost either way; what a newer image brings there is not seen.
func volumeLine(d record.Dir, keeps string) LearntLine {
	line := LearntLine{fmt.Sprintf("volume on %s: %s; all that is there is carried over", plainName(d.Path), keeps), sureHigh}
	if d.Image == record.ImageContent {
		line.Sure = sureMedium
	}
	return line
}

// keeping says what a tmpfs on a written place would lose; empty: nothing that anybody misses.
func keeping(d record.Dir) string {
	name := plainName(d.Path)
	switch {
	case d.Image == record.ImageContent:
		return fmt.Sprintf("the image has files in %s, which a tmpfs would hide", name)
	case d.Bytes > 0 && !below(d.Path, volatilePlaces):
		return fmt.Sprintf("it keeps %s in %s, which would be gone from a tmpfs at every stop", size(d.Bytes), name)
	}
	return ""
}

// noRoom says why a place that keeps something gets no volume; empty: it can.
func noRoom(h *inventory.Host, c *inventory.Container, d record.Dir, done []string) string {
	if slices.Contains(broadPlaces, d.Path) {
		return fmt.Sprintf("that is too much for a volume; list the directories of %s in volumes that it needs", plainName(d.Path))
	}
	if why := noVolume(h, c); why != "" {
		return "give it a volume there, or list it in tmpfs; this tool does not, because " + why
	}
	if why := wrongPlace(c, d.Path, done, nil); why != "" {
		return fmt.Sprintf("%s cannot be a volume: it %s", plainName(d.Path), why)
	}
	return ""
}

// unfit says why a written place can be neither a tmpfs nor a volume; empty: it can.
func unfit(d record.Dir) string {
	name := plainName(d.Path)
	switch {
	case d.Path == "/":
		return "it writes files into / itself"
	case below(d.Path, systemPlaces):
		return fmt.Sprintf("it writes into %s, where programs and settings are", name)
	case strings.ContainsAny(d.Path, ":,") || name != d.Path:
		return fmt.Sprintf("the name of %s cannot be written in an option", name)
	case d.Image == "":
		return fmt.Sprintf("what the image has in %s was not seen", name)
	}
	return ""
}

// askReadOnly asks where it may write. The answer names the places that were seen where they can all be a tmpfs.
func askReadOnly(h *inventory.Host, c *inventory.Container, p profile.Params, f plan.Finding) plan.Finding {
	answer, question := "accept: true, tmpfs: []", "Does it write only to volumes and to places that can be a tmpfs? "+written(c)+". List these places in tmpfs, and in volumes those where it keeps data or its image has files."
	if c.Learnt != nil {
		a, _ := answerReadOnly(h, c, learntRule{Params: p})
		if a.Refused == "" {
			answer = a.text()
		}
		f.Evidence = append(f.Evidence, a.evidence()...)
	}
	if outdated(c, p) {
		question = outdatedText(c, p) + " " + question
	}
	return ask(f, question, answerContainer(c, "docker/read-only-rootfs", answer))
}
