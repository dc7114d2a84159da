package docker

import (
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

var (
	// firstTime are the capabilities with which owners and modes of files are put right, as is done once, when a
	// container is new and its files are those of the image.
	firstTime = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"}
	// onlyReads are those that a service also uses to look at what it may look at without.
	onlyReads = []string{"DAC_READ_SEARCH"}
	// rare are those that few services use.
	rare = append([]string{"SYS_CHROOT"}, levelOne...)
)

// learntCaps is what a container keeps of what it may use, by what was seen of a whole life of it. It does not decide
// about one that lacks a part of it: the answer is refused then.
func learntCaps(c *inventory.Container, p learntRule) LearntAnswer {
	a := LearntAnswer{Control: "docker/capabilities"}
	f := c.Learnt
	conf := configuredCaps(c.Inspect.HostConfig.CapAdd, c.Inspect.HostConfig.CapDrop)
	bare := unprivileged(c) == "" && len(f.Used()) == 0
	if gaps := f.Gaps(); len(gaps) > 0 && !bare {
		a.Refused = notSeen(gaps)
		return a
	}
	said := capList(p.List("keep"))
	if outdated(c, p.Params) {
		said = nil // they were learnt of something else
	}
	keep := []string{}
	for _, name := range capsOf(capMask(conf)) {
		line, drop := keepReason(c, name), dropReason(c, name, len(f.Gaps()) > 0)
		switch {
		case line.Text != "":
		case slices.Contains(said, name):
			line = LearntLine{"the profile keeps it", sureHigh}
		case p.unsure(drop.Sure):
			line = LearntLine{"not used, but that it is not needed is only of " + drop.Sure + " confidence", sureHigh}
		default:
			a.Why = append(a.Why, drop)
			continue
		}
		line.Text = fmt.Sprintf("keep %s: %s", name, line.Text)
		keep, a.Why = append(keep, name), append(a.Why, line)
	}
	a.Params = []LearntParam{{"drop", []string{allCaps}}, {"keep", keep}, {"learnt", c.Work().ID()}}
	return a
}

// unprivileged is why the container may need a capability although no process was seen to use one; empty: there is no
// reason. One that starts as root may use them before anybody looks: an entry script that then becomes another user does.
func unprivileged(c *inventory.Container) string {
	if rootUser(c.Inspect.Config.User) {
		return "it starts as root"
	}
	return c.Learnt.Unprivileged()
}

func notSeen(gaps []string) string {
	return "not seen were " + strings.Join(gaps, "; ")
}

// keepReason says why a capability stays; without a text it goes.
func keepReason(c *inventory.Container, name string) LearntLine {
	f := c.Learnt
	uses := f.Uses(name)
	switch {
	case len(uses) > 0 && slices.Contains(onlyReads, name):
		return LearntLine{useText(f, uses[0]) + more(uses) + "; such a use often works without, so try that", sureLow}
	case len(uses) > 0:
		return LearntLine{useText(f, uses[0]) + more(uses), sureHigh}
	case name == "NET_BIND_SERVICE" && lowPort(f) != "":
		return LearntLine{lowPort(f), sureHigh}
	case slices.Contains(firstTime, name) && !f.Fresh() && unprivileged(c) != "":
		return LearntLine{"not used, but it was not seen made anew from its image, when owners and modes of files are put right", sureMedium}
	}
	return LearntLine{}
}

// more counts the other uses.
func more(uses []record.Check) string {
	if len(uses) < 2 {
		return ""
	}
	return fmt.Sprintf("; and %d more uses", len(uses)-1)
}

// lowPort says that the container waits on a port that only NET_BIND_SERVICE opens; empty: on none.
func lowPort(f *record.File) string {
	first := f.Sysctls.UnprivilegedPortStart
	for _, l := range f.Listeners {
		switch {
		case first == nil:
			return fmt.Sprintf("it waits on %s port %d, and whether everybody may open that was not seen", plainName(l.Protocol), l.Port)
		case l.Port < *first:
			return fmt.Sprintf("it waits on %s port %d, and ports below %d need it here", plainName(l.Protocol), l.Port, *first)
		}
	}
	return ""
}

// dropReason says why a capability goes, and how sure that is.
func dropReason(c *inventory.Container, name string, uncounted bool) LearntLine {
	f := c.Learnt
	line := LearntLine{Text: fmt.Sprintf("drop %s: not used, %s", name, watched(c)), Sure: sureMedium}
	switch {
	case uncounted:
		line.Text = fmt.Sprintf("drop %s: no process holds a capability, the first one neither, and no program gives one", name)
	case slices.Contains(rare, name), f.Fresh() && f.Time() >= longWatch:
		line.Sure = sureHigh
	case !f.Fresh():
		line.Sure = sureLow
	}
	if name == "NET_BIND_SERVICE" && len(f.Listeners) > 0 && f.Sysctls.UnprivilegedPortStart != nil {
		line.Text += fmt.Sprintf("; everybody may open ports from %d on", *f.Sysctls.UnprivilegedPortStart)
	}
	return line
}

// askLearnt asks whether all that was not seen in use may go, when more of it could go than the profile takes.
func askLearnt(c *inventory.Container, v capView, p profile.Params, f plan.Finding) (plan.Finding, bool) {
	if c.Learnt == nil || p.Text("learnt") != "" && !outdated(c, p) {
		return f, false
	}
	a := learntCaps(c, learntRule{Params: p})
	if a.Refused != "" {
		return f, false
	}
	keep := a.list("keep")
	less := without(v.wanted, keep)
	if len(less) == 0 && !outdated(c, p) {
		return f, false
	}
	words := "nothing of what it may use"
	if len(keep) > 0 {
		words = "of what it may use only " + strings.Join(keep, ", ")
	}
	f.Status, f.Message = plan.Fail, "it may use "+capText(v.conf)
	f.Evidence = append(f.Evidence, a.evidence()...)
	question := fmt.Sprintf("It was seen to need %s (%s). May the rest go?", words, watched(c))
	if outdated(c, p) {
		question = outdatedText(c, p) + " " + question
	}
	return ask(f, question, answerContainer(c, a.Control, a.text())), true
}

// askStale asks again what was answered for another image or configuration.
func askStale(c *inventory.Container, p profile.Params, f plan.Finding) plan.Finding {
	f.Status = plan.Fail
	if f.Message == "" {
		f.Message = "what it needs is not known any more"
	}
	words := fmt.Sprintf("drop: [%s], keep: [%s], learnt: %q", strings.Join(p.List("drop"), ", "), strings.Join(capList(p.List("keep")), ", "), c.Work().ID())
	return ask(f, outdatedText(c, p), answerContainer(c, "docker/capabilities", words))
}
