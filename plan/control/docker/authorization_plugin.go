package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// paramPlugins names the plugins that authorize requests.
const paramPlugins = "plugins"

func authorizationPlugin() control.Control {
	return control.Control{
		ID:    "docker/authorization-plugin",
		Title: "Requests to the engine are authorized one by one",
		Why:   "Elevation of privilege: without an authorization plugin everybody who reaches the engine's socket may do everything, which is as much as root.",
		Risk: "What the plugin denies is denied to everybody, this tool too. An engine does not start without its plugin, and answers nobody while the plugin hangs; " +
			"such an apply is taken back, later the plugin has to be kept running.",
		Fix: "With the profile's answer: authorization-plugins in daemon.json, once the engine is seen to find each plugin, and an engine restart: after a reload the engine asks the plugin and its /info does not say so. " +
			"Afterwards everything is asked through the plugin: when it denies or does not answer, the change is taken back. Undone by the file's old bytes and a restart, which needs no answer of the engine.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.11", "cis-docker-1.6.0": "2.12", "cis-docker-1.8.0": "2.13", "stride": "E",
		},
		Class:    control.Answer,
		Verified: "GET /info (Plugins.Authorization), beside daemon.json and flags",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: paramPlugins, Type: profile.TypeList, Default: []string(nil),
			Doc: "plugins that authorize requests, by the names under which the engine finds them; those that are configured stay",
		}},
		Host: judgeAuthorization,
	}
}

// GivenPlugins are the plugins that a profile means to give the engine, for the inventory to look for.
func GivenPlugins(p *profile.Profile) []string {
	one := authorizationPlugin()
	params, on := p.ParamsFor(one.ID, "", one.Params)
	if !on {
		return nil
	}
	return params.List(paramPlugins)
}

func judgeAuthorization(h *inventory.Host, p profile.Params) []plan.Finding {
	asked := p.List(paramPlugins)
	enough := func(have []string) bool { return strings.Join(have, "") != "" && len(lacking(have, asked)) == 0 }
	key := daemonKey{
		name: "authorization-plugins", absent: json.RawMessage("[]"), kind: plan.KindRestart,
		good: func(v json.RawMessage) bool { return enough(texts(v)) },
		says: func(h *inventory.Host) answer {
			have := h.Engine.Authorization
			switch {
			case len(have) == 0:
				return info(false, "no plugin authorizes requests")
			case !enough(have):
				return info(false, "requests are authorized by %s, and not by %s", list(plainNames(have)), list(plainNames(lacking(have, asked))))
			}
			return info(true, "requests are authorized by %s", list(plainNames(have)))
		},
	}
	f := judgeKey(h, key)
	if len(f.Changes) == 0 {
		return []plan.Finding{f}
	}
	if len(asked) == 0 {
		// No question: who may ask the engine for what is no thing to be made up for an audit.
		return []plan.Finding{reported(f, plan.NeedsPolicy, "who may ask the engine for what is the organisation's to say; there is no plugin for everybody. Choose one and run it.%s%s",
			answerMark, answerHost("docker/authorization-plugin", paramPlugins+": [NAME]"))}
	}
	return []plan.Finding{authorize(h, f, asked, key.configured(h))}
}

// lacking are the asked plugins that are not among those there.
func lacking(have, asked []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(name string) bool { return slices.Contains(have, name) })
}

// authorize gives the engine the plugins that it lacks, if it finds each of them.
func authorize(h *inventory.Host, f plan.Finding, asked []string, conf configured) plan.Finding {
	missing := lacking(texts(conf.value), asked)
	if why := unusable(h, asked, missing, conf); why != "" {
		f.Changes, f.Blocked = nil, why
		return f
	}
	f.Changes[0].To = raw(append(texts(conf.value), missing...))
	f.Risk = f.Risk.Raise(plan.RiskHigh, fmt.Sprintf("everybody's requests are refused that %s denies, and all of them while it does not run", list(plainNames(missing))))
	f.Notes = append(f.Notes, "after the restart everything is asked through the plugin: when it denies that to this tool, or does not answer, the change is undone by the file and the service manager alone")
	return f
}

// unusable says why the engine must not be given the plugins; empty: nothing is against it.
func unusable(h *inventory.Host, asked, missing []string, conf configured) string {
	switch {
	case conf.flag:
		return "authorization-plugins is given by the flag --authorization-plugin, beside which daemon.json cannot name any: add them in the engine's unit, restart the engine, then plan again"
	case h.Engine.Rootless:
		return "the engine is rootless: it looks for plugins in its user's directories, which are not looked at; add authorization-plugins to daemon.json by hand"
	case len(h.GivenPlugins) == 0:
		return "the plugins that the profile names were not looked for: a snapshot does not show them, so plan on the host itself"
	}
	var problems []string
	for _, name := range asked {
		at := slices.IndexFunc(h.GivenPlugins, func(p inventory.Plugin) bool { return p.Name == name })
		switch {
		case at < 0:
			problems = append(problems, plainName(name)+" was not looked for")
		case h.GivenPlugins[at].Problem != "":
			given := h.GivenPlugins[at]
			where := plainName(name)
			if given.Found != "" {
				where += fmt.Sprintf(" (%s)", plainName(given.Found))
			}
			problems = append(problems, where+": "+given.Problem)
		}
	}
	if len(problems) == 0 {
		return ""
	}
	return fmt.Sprintf("the engine would not start with %s. Mend that, then plan again", strings.Join(problems, "; "))
}
