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

func insecureRegistries() control.Control {
	return control.Control{
		ID:    "docker/insecure-registries",
		Title: "No registry is used without TLS",
		Why:   "Spoofing and tampering: whoever is on the way to an insecure registry can hand out other images, and reads the registry's password.",
		Risk:  "Pulls from a registry that really has no TLS, or a certificate nobody trusts, fail from then on; containers that run are not touched.",
		Fix:   "insecure-registries: [] in daemon.json and a reload; nothing restarts. Undone by the old list and a reload.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.4", "cis-docker-1.6.0": "2.5", "cis-docker-1.8.0": "2.5", "stride": "S,T",
		},
		Class:    control.Answer,
		Verified: "GET /info (RegistryConfig), beside daemon.json and flags",
		Severity: plan.RiskHigh,
		Params:   []profile.Param{acceptParam("empty the list although pulls from these registries may fail afterwards")},
		Host:     judgeInsecureRegistries,
	}
}

func judgeInsecureRegistries(h *inventory.Host, p profile.Params) []plan.Finding {
	key := daemonKey{
		name: "insecure-registries", absent: json.RawMessage("[]"), want: json.RawMessage("[]"),
		kind: plan.KindReload, good: func(v json.RawMessage) bool { return len(texts(v)) == 0 && v[0] == '[' },
		says: func(h *inventory.Host) answer {
			list := slices.Sorted(slices.Values(h.Engine.InsecureRegistries))
			if len(list) == 0 {
				return info(true, "no registry is insecure")
			}
			return info(false, "insecure: %s", strings.Join(list, ", "))
		},
	}
	f := judgeKey(h, key)
	if len(f.Changes) == 0 {
		return []plan.Finding{f}
	}
	list := strings.Join(texts(key.configured(h).value), ", ")
	if !p.Bool("accept") {
		return []plan.Finding{ask(f, fmt.Sprintf("Can the engine do without %s, or reach it with TLS? Then the list can be emptied.", list),
			answerHost("docker/insecure-registries", "accept: true"))}
	}
	f.Risk = f.Risk.Raise(plan.RiskMedium, "pulls may fail from "+list)
	return []plan.Finding{f}
}

// texts are the elements of a JSON list of texts; nil when it is none.
func texts(value json.RawMessage) []string {
	var list []string
	if json.Unmarshal(value, &list) != nil {
		return nil
	}
	return list
}
