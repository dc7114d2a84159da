package docker

import (
	"fmt"
	"path"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const (
	autolockID         = "docker/swarm-autolock"
	nodeCertificatesID = "docker/swarm-node-certificates"
	sourceNodeKey      = "swarm/certificates/swarm-node.key"
	sourceNodeCert     = "swarm/certificates/swarm-node.crt"
)

// onManager makes a control judge, and change with an answer, what a manager of a swarm shows of it. On other nodes,
// which show nothing of the swarm, the question of the attested control stays.
func onManager(c control.Control, judge func(*inventory.Host, profile.Params) plan.Finding, params ...profile.Param) control.Control {
	asks := c.Host
	c.Class = control.Answer
	c.Params = append(c.Params, params...)
	c.Host = func(h *inventory.Host, p profile.Params) []plan.Finding {
		if h.Engine.Cluster == nil || !control.SwarmActive(h) {
			return asks(h, p)
		}
		f := judge(h, p)
		f.Resource = plan.Swarm()
		return []plan.Finding{f}
	}
	return c
}

func swarmAutolock() control.Control {
	c := attested(about("swarm-autolock", "Managers are locked when they start",
		"Information disclosure: without it the keys of the swarm lie readable on each manager's disk.",
		plan.RiskLow, refs("7.6", "7.5", "7.5", "I")),
		"Is autolock on, and who has the key when a manager starts again?", noSwarm)
	c.Verified = "GET /info (Swarm.Cluster) on a manager, beside the key on its disk; on other nodes " + attestedWord
	c.Risk = "Each manager waits for the key when it starts again (docker swarm unlock), and until then its swarm has one manager less; services do not start there. " +
		"Whoever loses the key loses the managers that are locked with it."
	c.Fix = "With key_file, autolock is turned on for the whole swarm, and the key is written into that new file, for root alone: take it away from the host to where people find it. " +
		"Undone by turning it off again; the file goes too, for the key is worth nothing then; where there are other managers, of which one may be away and locked, it is kept under another name."
	return onManager(c, judgeAutolock, profile.Param{
		Name: "key_file", Type: profile.TypeText, Default: "",
		Doc: "path of a file on the manager, not there yet, into which the key to unlock managers is written",
	})
}

func judgeAutolock(h *inventory.Host, p profile.Params) plan.Finding {
	s := h.Engine.Cluster
	f := verdict(plan.Pass, "managers are locked when they start")
	f.Evidence = []plan.Evidence{evidence("autolock", sourceInfo, "%s", onOff(s.AutoLock))}
	if s.Disk != nil {
		f.Evidence = append(f.Evidence, evidence("key on the disk", sourceNodeKey, "%s", map[bool]string{true: "encrypted", false: "readable"}[s.Disk.Encrypted]))
	}
	switch {
	case s.AutoLock && s.Disk != nil && !s.Disk.Encrypted:
		f.Message = "autolock is on, and the key on this manager's disk is readable all the same"
		return reported(f, plan.NeedsPolicy, "run docker swarm unlock-key --rotate, and keep the key that it prints; then plan again")
	case s.AutoLock:
		return f
	}
	f.Status, f.Message = plan.Fail, "managers are not locked when they start"
	file := p.Text("key_file")
	if file == "" {
		return ask(f, fmt.Sprintf("The swarm has %s. Who gives one the key when it starts again, also at night? Name a file for the key that this makes, and take it away from there afterwards.",
			counted(s.Managers, "manager")), answerHost(autolockID, "key_file: /root/swarm-unlock-key"))
	}
	if why := noKeyFile(h, file); why != "" {
		f.Blocked = why
		return f
	}
	f.Changes = []plan.Change{
		{Path: plan.AutoLockPath, From: raw(false), To: raw(true), Kind: plan.KindSwarm, Reversibility: plan.Exact},
		{Path: plan.UnlockKeyFilePath, From: raw(nil), To: raw(file), Kind: plan.KindSwarm, Reversibility: plan.Exact},
	}
	f.Risk = f.Risk.Raise(plan.RiskHigh, "a manager that starts again, also after a reboot, is of no use until somebody gives it the key")
	if s.Managers <= 1 {
		f.Risk = f.Risk.Raise(plan.RiskHigh, "it is the only manager: should the host lose power in the instant before the key is in its file, nobody has the key, and the swarm is lost")
	}
	f.Notes = append(f.Notes, fmt.Sprintf("it is for the whole swarm, with %s; the key is in %s afterwards: keep it elsewhere, and remove the file", counted(s.Managers, "manager"), plainName(file)))
	return f
}

// noKeyFile says why the key cannot go into a file; empty: nothing is known against it.
func noKeyFile(h *inventory.Host, file string) string {
	root := h.Engine.RootDir
	switch {
	case !path.IsAbs(file) || path.Clean(file) != file || plainName(file) != file || path.Base(file) == "/":
		return "key_file is no plain absolute path"
	case root != "" && strings.HasPrefix(file, strings.TrimSuffix(root, "/")+"/"):
		return fmt.Sprintf("key_file is below %s: the key would lie beside what it locks, and with it in every copy", root)
	case !h.Engine.Local:
		return "the file is made on the manager itself: run docker-harden there"
	}
	return ""
}

// mostHours is for how long certificates of nodes may be valid.
func mostHours() profile.Param {
	return profile.Param{
		Name: "most_hours", Type: profile.TypeInt, Default: int64(48), Min: 1, Max: 24 * 365 * 10,
		Doc: "for how many hours certificates of nodes may be valid; docker swarm init makes them for 2160",
	}
}

func swarmNodeCertificates() control.Control {
	c := attested(about("swarm-node-certificates", "Certificates of nodes are renewed often",
		"Spoofing: a stolen certificate lets a stranger be a node until it ends.",
		plan.RiskLow, refs("7.8", "7.7", "7.7", "S")),
		"How long are certificates of nodes valid (docker info, Expiry Duration)?", noSwarm)
	c.Verified = "GET /info (Swarm.Cluster) on a manager, beside the certificate on its disk; on other nodes " + attestedWord
	c.Risk = "A node that is away for longer than its certificate is valid has to join the swarm anew."
	c.Fix = "With hours, certificates of all nodes are valid for that long from their next renewal on, which comes by itself after half to four fifths of their time. " +
		"Undone by the former time; what was renewed meanwhile is renewed sooner once."
	return onManager(c, judgeNodeCertificates, mostHours(), profile.Param{
		Name: "hours", Type: profile.TypeInt, Default: int64(0), Min: 0, Max: 24 * 365 * 10,
		Doc: "for how many hours certificates of nodes are made; 0: it is not changed",
	})
}

// leastHours is what the engine takes at least.
const leastHours = 1

func judgeNodeCertificates(h *inventory.Host, p profile.Params) plan.Finding {
	s := h.Engine.Cluster
	valid, most := hours(s.CertExpiry), time.Duration(p.Int("most_hours"))*time.Hour
	f := verdict(plan.Pass, "certificates of nodes are valid for %s", valid)
	f.Evidence = []plan.Evidence{evidence("certificates", sourceInfo, "%s", valid)}
	const early = 2 * time.Hour // the engine makes them begin an hour before they are made
	if s.Disk != nil {
		own := s.Disk.Until.Sub(s.Disk.From)
		f.Evidence = append(f.Evidence, evidence("its own", sourceNodeCert, "made for %s", hours(own)))
		if own > s.CertExpiry+early {
			f.Notes = append(f.Notes, fmt.Sprintf("the one of this node is from before, and valid until %s at the latest: docker swarm ca --rotate renews all at once", s.Disk.Until.UTC().Format(time.DateOnly)))
		}
	}
	switch {
	case s.CertExpiry <= 0:
		f.Status, f.Message = plan.Unknown, "the engine does not say for how long certificates of nodes are valid"
		return f
	case s.CertExpiry <= most:
		return f
	}
	f.Status, f.Notes = plan.Fail, nil
	want := time.Duration(p.Int("hours")) * time.Hour
	switch {
	case want == 0:
		return ask(f, fmt.Sprintf("May certificates of nodes be valid for %s? A node that is away for longer has to join anew.", hours(most)),
			answerHost(nodeCertificatesID, fmt.Sprintf("hours: %d", max(leastHours, p.Int("most_hours")))))
	case want > most:
		f.Blocked = fmt.Sprintf("hours is %d, which is more than most_hours allows (%d)", p.Int("hours"), p.Int("most_hours"))
		return f
	}
	f.Changes = []plan.Change{{
		Path: plan.CertExpiryPath, From: raw(int64(s.CertExpiry)), To: raw(int64(want)), Kind: plan.KindSwarm,
		Reversibility: plan.Functional, ReverseNote: "a certificate that was renewed meanwhile is renewed sooner once",
	}}
	f.Risk = f.Risk.Raise(plan.RiskMedium, fmt.Sprintf("a node that is away for longer than %s has to join the swarm anew", hours(want)))
	f.Notes = []string{fmt.Sprintf("it is for the whole swarm, with %s: certificates that are there stay valid, and are renewed by themselves; docker swarm ca --rotate renews all at once", counted(s.Nodes, "node"))}
	return f
}

// ChangesSwarm reports whether a change of the swarm is one that a control asks for with this profile.
func ChangesSwarm(h *inventory.Host, p *profile.Profile, change plan.Change) bool {
	for _, one := range []control.Control{swarmAutolock(), swarmNodeCertificates()} {
		params, on := p.ParamsFor(one.ID, "", one.Params)
		if !on {
			continue
		}
		for _, f := range one.Host(h, params) {
			for _, asked := range f.Changes {
				if asked.Path == change.Path && sameValue(asked.To, change.To) {
					return true
				}
			}
		}
	}
	return false
}

// hours is a time as docker swarm takes it: whole hours where it is some.
func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.Round(time.Minute).String()
}
