package docker

import (
	"fmt"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/scan"
)

func imageVulnerabilities() control.Control {
	var severities []string
	for _, s := range scan.Severities() {
		severities = append(severities, string(s))
	}
	return control.Control{
		ID:    "docker/image-vulnerabilities",
		Title: "A scanner finds nothing in the image that an update would fix",
		Why:   "Elevation of privilege and information disclosure: a known hole in a program that listens is the shortest way into a container.",
		Risk:  "Nothing is changed: a new image is a new version of the service.",
		Fix:   "By hand: build or pull the image anew, with packages of today, scan it, and make the container anew from it; or accept the risk with an exception.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "4.4", "cis-docker-1.6.0": "4.4", "cis-docker-1.8.0": "4.4", "stride": "E,I",
		},
		Params: []profile.Param{
			{Name: "severity", Type: profile.TypeChoice, Default: string(scan.High), Choices: severities, Doc: "the least severity that counts, as the scanner gives it"},
			{Name: "unfixed", Type: profile.TypeBool, Default: false, Doc: "count vulnerabilities too for which there is no fixed version yet"},
			{Name: "days", Type: profile.TypeInt, Default: int64(30), Min: 1, Max: 3650, Doc: "after how many days a report says nothing any more"},
		},
		Class:     control.Reported,
		Verified:  "reports of Trivy or Grype about the image, given with --scan",
		Severity:  plan.RiskHigh,
		Container: judgeImageVulnerabilities,
	}
}

func judgeImageVulnerabilities(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding {
	if h.Scans == nil {
		f := verdict(plan.NotApplicable, "no scanner's report was given (--scan FILE)")
		f.Reason = plan.NeedsPolicy
		return f
	}
	found, open, past := scan.Count{}, 0, ""
	var seen []plan.Evidence
	for _, r := range h.ScansOf(c) {
		if why := tooOld(r, h.Taken, p.Int("days")); why != "" {
			past = why
			continue
		}
		at := r.AtLeast(scan.Severity(p.Text("severity")))
		count := at.Fixable
		if p.Bool("unfixed") {
			count = at.All
		}
		if count >= open {
			open, found = count, at
		}
		seen = append(seen, evidence(scannerOf(r), "report "+plainName(r.File), "%s", countsOf(r)))
	}
	switch {
	case len(seen) == 0 && past != "":
		return verdict(plan.Unknown, "no report about its image is of these days: %s", past)
	case len(seen) == 0:
		return verdict(plan.Unknown, "none of the reports that were given is about its image")
	}
	least := p.Text("severity")
	f := verdict(plan.Pass, "no vulnerability of its image is %s or worse and has a fix", least)
	switch {
	case open > 0:
		f = verdict(plan.Fail, "vulnerabilities of its image that are %s or worse: %d, of which %d have a fix", least, found.All, found.Fixable)
		f = reported(f, plan.NeedsImageRebuild, "build or pull the image anew, and scan it again")
	case p.Bool("unfixed"):
		f = verdict(plan.Pass, "no vulnerability of its image is %s or worse", least)
	}
	f.Evidence = seen
	return f
}

// tooOld is why a report says nothing any more; empty: it does.
func tooOld(r *scan.Report, now time.Time, most int64) string {
	if r.Made.IsZero() {
		return plainName(r.File) + " does not say when it was made"
	}
	if days := int64(now.Sub(r.Made).Hours() / 24); days > most {
		return fmt.Sprintf("%s was made on %s, %d days ago", plainName(r.File), r.Made.Format(time.DateOnly), days)
	}
	return ""
}

// scannerOf is the scanner that made a report, and when.
func scannerOf(r *scan.Report) string {
	return plainName(strings.TrimSpace(r.Scanner+" "+r.Version)) + ", " + r.Made.Format(time.DateOnly)
}

// countsOf are the numbers of a report, the worst first.
func countsOf(r *scan.Report) string {
	var out []string
	all := scan.Severities()
	for i := len(all) - 1; i >= 0; i-- {
		if n := r.Counts[all[i]]; n.All > 0 {
			out = append(out, fmt.Sprintf("%d %s (%d with a fix)", n.All, all[i], n.Fixable))
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}
