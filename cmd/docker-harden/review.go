package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// openProfile loads a profile against the rulebook.
func openProfile(nameOrPath string) (*profile.Profile, error) {
	return profile.Open(nameOrPath, control.Catalog(rulebook()))
}

// profileNames are the built-in profiles and those of this host.
func profileNames() []string {
	names := profile.Names()
	files, err := filepath.Glob(filepath.Join(profile.DefaultDir, "*.yaml"))
	if err != nil {
		return names
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	return names
}

// identity is how a plan names its profile: by a word for a built-in one, else by its path, so that
// apply finds the same one again to prove the result.
func identity(p *profile.Profile) plan.Profile {
	name := p.Name
	if _, builtIn := profile.Embedded(name); !builtIn || !strings.HasPrefix(p.Source, "embedded:") {
		if abs, err := filepath.Abs(p.Source); err == nil {
			name = abs
		}
	}
	return plan.Profile{Name: name, SHA256: p.SHA256}
}

// sameProfile opens the profile a plan was made with and insists that it is still the same.
func sameProfile(made plan.Profile) (*profile.Profile, error) {
	p, err := openProfile(made.Name)
	if err != nil {
		return nil, fmt.Errorf("cannot prove the result without the plan's profile: %w", err)
	}
	if p.SHA256 != made.SHA256 {
		return nil, fmt.Errorf("%w: profile %s has changed since; make the plan again", plan.ErrStale, made.Name)
	}
	return p, nil
}

// review judges a host with a profile and plans what the command line selects.
func (a *app) review(c *cli.Context, h *inventory.Host, p *profile.Profile, targets []string) (*plan.Plan, error) {
	rules := rulebook()
	now := time.Now()
	selected, err := selection(c, h, targets, rules)
	if err != nil {
		return nil, err
	}
	judges, err := taken(selected, h, rules)
	if err != nil {
		return nil, err
	}
	findings := control.Evaluate(h, p, judges, now)
	return plan.Build(plan.Input{
		Findings: findings, Basis: h.Basis, Bound: control.Bound(h, p, findings), Host: h.Identity, Profile: identity(p),
		Rules: control.Rules(rules), Problems: h.Problems, Tool: toolVersion(), Made: now,
		FromSnapshot: h.Snapshot, Select: selected,
	})
}

// taken are the controls of which the selection keeps something. The others are not asked at all:
// what one control says can rest on what another will do. A restart of the engine is cheap only if
// live-restore is turned on in the same plan, and a new container keeps out of the engine's new
// defaults only if no other change puts it there.
func taken(selected plan.Selection, h *inventory.Host, rules []control.Control) ([]control.Control, error) {
	resources := resourcesOf(h)
	host := len(resources) - len(h.Containers)
	keeps, err := selected.Keeps(resources, control.Rules(rules))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(rules), func(c control.Control) bool {
		judged := resources[:host]
		if c.Container != nil && len(h.Containers) > 0 {
			judged = resources[host:]
		}
		return !slices.ContainsFunc(judged, func(r plan.Resource) bool {
			return keeps(plan.Finding{Control: c.ID, Resource: r})
		})
	}), nil
}

// resourcesOf is what a host has to judge, its containers last.
func resourcesOf(h *inventory.Host) []plan.Resource {
	resources := []plan.Resource{plan.Daemon()}
	if h.Engine.Cluster != nil {
		resources = append(resources, plan.Swarm())
	}
	if h.Group.Exists {
		resources = append(resources, plan.File(inventory.GroupFile))
	}
	for path := range h.Files {
		resources = append(resources, plan.File(path))
	}
	for i := range h.Containers {
		resources = append(resources, h.Containers[i].Resource())
	}
	return resources
}

// sight is the host the command line means: the live one as far as a profile needs to know it, or the snapshot of
// --from; with what scanners found in its images and what was learnt of its containers.
func (a *app) sight(ctx context.Context, c *cli.Context, p *profile.Profile) (*inventory.Host, error) {
	scans, err := readScans(c.StringSlice("scan")) // a slip there should not cost a look
	if err != nil {
		return nil, err
	}
	seen, err := readEvidences(c)
	if err != nil {
		return nil, err
	}
	h, err := a.hostOrSnapshot(ctx, c, p)
	if err != nil {
		return nil, err
	}
	if scans != nil {
		h.Scans = scans
		a.strangers(c, h)
	}
	return h, learnt(h, seen)
}

func (a *app) hostOrSnapshot(ctx context.Context, c *cli.Context, p *profile.Profile) (*inventory.Host, error) {
	name := c.String("from")
	if name == "" {
		_, h, err := a.look(ctx, c, wants(p))
		return h, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot open snapshot: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	return inventory.Load(f, name)
}
