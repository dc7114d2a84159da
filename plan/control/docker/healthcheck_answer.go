package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/secret"
)

// unsaidWord stands in a printed answer for what only a person can put there.
const unsaidWord = "…"

// suggestedCheck is the piece of profile that names a check: of a web server where its port looks like one.
func suggestedCheck(c *inventory.Container) string {
	test := unsaidWord
	exposed := gjson.GetBytes(c.Raw, "Config.ExposedPorts")
	for _, port := range []string{"80", "8080", "8000", "3000"} {
		if exposed.Get(port + "/tcp").Exists() {
			test = fmt.Sprintf("wget -q -O /dev/null http://127.0.0.1:%s/ || exit 1", port)
			break
		}
	}
	return answerMark + answerContainer(c, healthcheckID, fmt.Sprintf(`test: "%s", interval: 30s, timeout: 10s, retries: 3, start_period: 30s`, test))
}

// engineCheck is a health check as the engine has it. What is 0 it would take from the image.
type engineCheck struct {
	Test          []string      `json:"Test"`
	Interval      time.Duration `json:"Interval"`
	Timeout       time.Duration `json:"Timeout"`
	StartPeriod   time.Duration `json:"StartPeriod,omitempty"`
	StartInterval time.Duration `json:"StartInterval,omitempty"`
	Retries       int64         `json:"Retries"`
}

// checked makes the change that the answer asks for, or says what is wrong with it.
func checked(h *inventory.Host, c *inventory.Container, p profile.Params, d *secret.Detector, f plan.Finding) plan.Finding {
	f.Reason, f.Blocked = "", ""
	check, problem := parseCheck(p, d)
	if problem != "" {
		f.Blocked = "the profile's " + problem
		return f
	}
	// The engine fills in what the container leaves open from the image's own check, be it turned off or not: it is
	// said, so that the container has what the plan shows.
	own := gjson.GetBytes(h.Images[c.Inspect.Image].Raw, "Config.Healthcheck")
	if check.StartPeriod == 0 {
		check.StartPeriod = time.Duration(own.Get("StartPeriod").Int())
	}
	check.StartInterval = time.Duration(own.Get("StartInterval").Int())
	from := json.RawMessage("null")
	if has := gjson.GetBytes(c.Raw, "Config.Healthcheck"); has.Exists() {
		from = json.RawMessage(has.Raw)
	}
	f.Changes = []plan.Change{{Path: plan.HealthcheckPath, From: from, To: raw(check), Kind: plan.KindRecreate, Reversibility: plan.Exact}}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "whether the check passes is not known before the new container has run it")
	switch {
	case !running(c):
		f.Risk = f.Risk.Raise(plan.RiskMedium, "it does not run: whether the check passes is not tried")
	case c.Inspect.State.Paused:
		f.Risk = f.Risk.Raise(plan.RiskMedium, "it is paused: whether the check passes is not tried")
	default:
		f.Notes = append(f.Notes, fmt.Sprintf("it takes at least %s, until the first check has passed", check.Interval))
	}
	return f
}

func parseCheck(p profile.Params, d *secret.Detector) (check engineCheck, problem string) {
	const (
		second  = time.Second
		longest = 2 * time.Minute
	)
	if check.Test, problem = checkCommand(p.Text("test"), d); problem != "" {
		return check, problem
	}
	for _, one := range []struct {
		name        string
		into        *time.Duration
		least, most time.Duration
	}{
		{"interval", &check.Interval, second, longest}, // a new container is waited for five minutes at most
		{"timeout", &check.Timeout, second, longest},
		{"start_period", &check.StartPeriod, 0, time.Hour},
	} {
		text := p.Text(one.name)
		if text == "" && one.least == 0 {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < one.least || d > one.most || d%time.Millisecond != 0 {
			return check, fmt.Sprintf("%s %q is no time from %s to %s: write it as 30s or 1m30s", one.name, text, one.least, one.most)
		}
		*one.into = d
	}
	check.Retries = p.Int("retries")
	return check, ""
}

// checkCommand reads what stands after CMD in a HEALTHCHECK.
func checkCommand(text string, d *secret.Detector) (test []string, problem string) {
	line := strings.TrimSpace(text)
	for _, word := range []string{"CMD-SHELL ", "CMD "} {
		line = strings.TrimSpace(strings.TrimPrefix(line, word))
	}
	switch {
	case line == "" || line == unsaidWord || line == "CMD" || strings.EqualFold(line, "NONE"):
		return nil, "test is no command: write what has to end with 0 in the container while the service works"
	case strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, "test has characters that cannot be shown: write it on one line"
	case strings.HasPrefix(line, "["):
		if err := json.Unmarshal([]byte(line), &test); err != nil || len(test) == 0 || slices.Contains(test, "") {
			return nil, `test is no list of words: write '["/bin/ready", "-q"]'`
		}
		test = slices.Insert(test, 0, "CMD")
	default:
		test = []string{"CMD-SHELL", line}
	}
	if found := d.Look(secret.Source{Healthcheck: test}); len(found) > 0 {
		return nil, fmt.Sprintf("test holds what looks like a credential (%s): everybody who may see the container sees its check, so let it read a file of the container", found[0].Rule)
	}
	return test, ""
}
