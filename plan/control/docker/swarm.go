package docker

import (
	"fmt"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// onManager makes a control judge what a manager of a swarm shows of it. On other nodes, which show nothing of the
// swarm, the question of the attested control stays.
func onManager(c control.Control, field string, judge func(*inventory.SwarmCluster, profile.Params) plan.Finding, params ...profile.Param) control.Control {
	asks := c.Host
	c.Verified = "GET /info (" + field + ") on a manager; on other nodes " + attestedWord
	c.Risk = "Nothing is changed: it is decided for the whole swarm, and not for one of its hosts."
	c.Params = append(c.Params, params...)
	c.Host = func(h *inventory.Host, p profile.Params) []plan.Finding {
		if h.Engine.Cluster == nil || !control.SwarmActive(h) {
			return asks(h, p)
		}
		f := judge(h.Engine.Cluster, p)
		f.Resource = plan.Daemon()
		return []plan.Finding{f}
	}
	return c
}

func judgeAutolock(s *inventory.SwarmCluster, _ profile.Params) plan.Finding {
	f := verdict(plan.Pass, "managers are locked when they start")
	if !s.AutoLock {
		f = reported(verdict(plan.Fail, "managers are not locked when they start"), plan.NeedsPolicy,
			"run docker swarm update --autolock=true, and keep the key that it prints where people find it: a manager that starts again waits for it")
	}
	f.Evidence = []plan.Evidence{evidence("autolock", sourceInfo, "%s", onOff(s.AutoLock))}
	return f
}

// mostHours is for how long certificates of nodes may be valid.
func mostHours() profile.Param {
	return profile.Param{
		Name: "most_hours", Type: profile.TypeInt, Default: int64(48), Min: 1, Max: 24 * 365 * 10,
		Doc: "for how many hours certificates of nodes may be valid; docker swarm init makes them for 2160",
	}
}

func judgeNodeCertificates(s *inventory.SwarmCluster, p profile.Params) plan.Finding {
	valid := hours(s.CertExpiry)
	f := verdict(plan.Pass, "certificates of nodes are valid for %s", valid)
	switch most := time.Duration(p.Int("most_hours")) * time.Hour; {
	case s.CertExpiry <= 0:
		f = verdict(plan.Unknown, "the engine does not say for how long certificates of nodes are valid")
	case s.CertExpiry > most:
		f = reported(f, plan.NeedsPolicy, "run docker swarm update --cert-expiry %s, or set most_hours in the profile", hours(most))
	}
	f.Evidence = []plan.Evidence{evidence("certificates", sourceInfo, "%s", valid)}
	return f
}

// hours is a time as docker swarm takes it: whole hours where it is some.
func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.Round(time.Minute).String()
}
