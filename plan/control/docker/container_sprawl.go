package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

func containerSprawl() control.Control {
	return control.Control{
		ID:    "docker/container-sprawl",
		Title: "Containers that nobody starts any more are removed",
		Why:   "Tampering and denial of service: a stopped container is started again by mistake, with the holes of its day, and its files fill the disk.",
		Risk:  "Nothing is changed: what a stopped container has written is lost when it is removed.",
		Fix:   "By hand: docker rm for those that are not needed; or raise most in the profile.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "6.2", "cis-docker-1.6.0": "6.2", "cis-docker-1.8.0": "6.2", "stride": "T,D",
		},
		Class:    control.Reported,
		Verified: "list and inspect of every container",
		Severity: plan.RiskLow,
		Params: []profile.Param{{
			Name: "most", Type: profile.TypeInt, Default: int64(10), Min: 0, Max: 100_000, Doc: "how many stopped containers the host may have",
		}},
		Host: func(h *inventory.Host, p profile.Params) []plan.Finding {
			var stopped []string
			for i := range h.Containers {
				if c := &h.Containers[i]; !c.Running() && c.Problem == "" && !control.Kept(c) {
					stopped = append(stopped, c.Name)
				}
			}
			f := daemonVerdict(plan.Pass, "%d stopped containers, %d may be", len(stopped), p.Int("most"))
			if int64(len(stopped)) <= p.Int("most") {
				return []plan.Finding{f}
			}
			f.Evidence = []plan.Evidence{evidence("stopped", sourceInspect, "%s", list(stopped))}
			return []plan.Finding{reported(f, plan.NeedsPolicy, "remove those that nobody starts any more; those that docker-harden keeps for a rollback do not count")}
		},
	}
}
