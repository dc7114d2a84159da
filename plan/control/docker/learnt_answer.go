package docker

import (
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	record "docker-harden/plan/evidence"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// LearntAnswer is what evidence answers to one control's question about one container.
type LearntAnswer struct {
	Control string
	Params  []LearntParam // what the profile has to say, in this order
	Why     []LearntLine
	Refused string // why there is none
	// Asked is true for an answer that evidence alone does not give: a person has to want it.
	Asked bool
}

// learntRule is how an answer is made: what the profile says already, and how sure it has to be.
type learntRule struct {
	profile.Params
	least string
}

// unsure reports whether something is less sure than it has to be.
func (r learntRule) unsure(sure string) bool {
	return plan.RiskLevel(sure).Rank() < plan.RiskLevel(r.least).Rank()
}

// LearntParam is one parameter of the answer: a bool, a text or a list.
type LearntParam struct {
	Name  string
	Value any
}

// LearntLine is one reason, and how sure it is: high, medium or low.
type LearntLine struct{ Text, Sure string }

// Values are the parameters as a profile holds them.
func (a LearntAnswer) Values() profile.Params {
	out := profile.Params{}
	for _, p := range a.Params {
		out[p.Name] = p.Value
	}
	return out
}

func (a LearntAnswer) list(name string) []string {
	for _, p := range a.Params {
		if list, ok := p.Value.([]string); ok && p.Name == name {
			return list
		}
	}
	return nil
}

// text is the answer as it stands in a profile.
func (a LearntAnswer) text() string {
	parts := make([]string, 0, len(a.Params))
	for _, p := range a.Params {
		parts = append(parts, p.Name+": "+profile.FormatValue(p.Value, ""))
	}
	return strings.Join(parts, ", ")
}

// evidence is what a plan shows of it.
func (a LearntAnswer) evidence() []plan.Evidence {
	if a.Refused != "" {
		return []plan.Evidence{evidence("not answered", sourceLearnt, "%s", a.Refused)}
	}
	var out []plan.Evidence
	for _, line := range a.Why {
		out = append(out, evidence("learnt", sourceLearnt, "%s (confidence %s)", line.Text, line.Sure))
	}
	return out
}

// LearntAnswers are the answers to the questions about a container that was watched, as far as the profile has these
// controls on. A control whose question was not asked, or is answered, gives none. least is how sure has to be what
// takes something away (high, medium, low; empty: low); what is less sure stays.
func LearntAnswers(h *inventory.Host, c *inventory.Container, p *profile.Profile, least string) []LearntAnswer {
	if c.Learnt == nil {
		return nil
	}
	var out []LearntAnswer
	for _, one := range []struct {
		control control.Control
		answer  func(*inventory.Host, *inventory.Container, learntRule) (LearntAnswer, bool)
	}{
		{privileged(), answerPrivileged},
		{capabilities(), answerCapabilities},
		{noNewPrivileges(), answerNoNewPrivileges},
		{readOnlyRootfs(), answerReadOnly},
	} {
		params, on := p.ParamsFor(one.control.ID, c.Name, one.control.Params)
		if !on {
			continue
		}
		if a, has := one.answer(h, c, learntRule{params, least}); has {
			out = append(out, a)
		}
	}
	return out
}

func answerCapabilities(_ *inventory.Host, c *inventory.Container, p learntRule) (LearntAnswer, bool) {
	if c.Inspect.HostConfig.Privileged {
		return LearntAnswer{}, false // it has every capability whatever is answered here
	}
	return learntCaps(c, p), true
}

// answerPrivileged names the capabilities that a privileged container was seen to use. Which devices it uses is not
// seen, so a person has to ask for it.
func answerPrivileged(_ *inventory.Host, c *inventory.Container, p learntRule) (LearntAnswer, bool) {
	if !c.Inspect.HostConfig.Privileged {
		return LearntAnswer{}, false
	}
	f := c.Learnt
	a := LearntAnswer{Control: "docker/privileged", Asked: true}
	if gaps := f.Gaps(); len(gaps) > 0 {
		a.Refused = notSeen(gaps)
		return a, true
	}
	caps := []string{}
	for _, name := range capNames {
		line := keepReason(c, name)
		if line.Text == "" {
			continue
		}
		caps = append(caps, name)
		line.Text = "leave " + name + ": " + line.Text
		a.Why = append(a.Why, line)
	}
	sure := sureMedium
	if len(without(caps, defaultCaps)) > 0 {
		sure = sureLow
	}
	if p.unsure(sure) {
		a.Refused, a.Why = "that it needs no more is only of "+sure+" confidence", nil
		return a, true
	}
	a.Why = append(a.Why, LearntLine{"take the rest: not used, " + watched(c), sure},
		LearntLine{"which devices of the host it uses was not watched: name them in devices", sureLow})
	devices := p.List("devices")
	if devices == nil {
		devices = []string{}
	}
	a.Params = []LearntParam{{"accept", true}, {"caps", caps}, {"devices", devices}, {"learnt", c.Work().ID()}}
	return a, true
}

// answerNoNewPrivileges is a yes when nothing that was executed gained privileges.
func answerNoNewPrivileges(h *inventory.Host, c *inventory.Container, p learntRule) (LearntAnswer, bool) {
	if judgeNoNewPrivileges(h, c, p.Params).Question == "" {
		return LearntAnswer{}, false
	}
	f := c.Learnt
	a := LearntAnswer{Control: "docker/no-new-privileges"}
	if gained := f.Gained(); len(gained) > 0 {
		a.Refused = gainedText(gained[0])
		return a, true
	}
	if gaps := f.Gaps(); len(gaps) > 0 {
		a.Refused = notSeen(gaps)
		return a, true
	}
	sure := sureMedium
	if f.Time() >= longWatch {
		sure = sureHigh
	}
	if p.unsure(sure) {
		a.Refused = "that nothing gained privileges is only of " + sure + " confidence"
		return a, true
	}
	a.Why = []LearntLine{{noGainText(f, c), sure}}
	a.Params = []LearntParam{{"accept", true}, {"learnt", c.Work().ID()}}
	return a, true
}

// gainedText names an execution that would fail without the privileges that it gains.
func gainedText(e record.Exec) string {
	return fmt.Sprintf("%s was executed %s and gained privileges (uid %d, then %d)", plainName(e.Path), times(int(e.Count)), e.UID, e.EUID)
}

func noGainText(f *record.File, c *inventory.Container) string {
	var runs uint64
	for _, e := range f.Execs {
		runs += e.Count
	}
	return fmt.Sprintf("none of %d executions gained privileges, %s", runs, watched(c))
}
