package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func sampleHost() *inventory.Host {
	container := func(name, image, project string) inventory.Container {
		c := inventory.Container{ID: strings.Repeat(name[:1], 64), Name: name}
		c.Inspect.Config.Image = image
		c.Inspect.Image = "sha256:" + strings.Repeat("a", 64)
		if project != "" {
			c.Inspect.Config.Labels = map[string]string{composeProject: project}
		}
		return c
	}
	return &inventory.Host{
		Containers: []inventory.Container{
			container("api", "shop/api:2", "shop"), container("cache", "redis", "shop"), container("web-1", "nginx:1.25", ""),
		},
		Images: map[string]inventory.Image{"sha256:" + strings.Repeat("a", 64): {RepoTags: []string{"registry.example/all:latest"}}},
	}
}

func TestExpand(t *testing.T) {
	for _, test := range []struct {
		targets, want string
	}{
		{"daemon host container/web-*", "daemon host container/web-*"},
		{"control:5.25 host/etc/docker/daemon.json", "control:5.25 host/etc/docker/daemon.json"},
		{"project/shop", "container/api container/cache"},
		{"project/sh*", "container/api container/cache"},
		{"image/redis", "container/cache"},
		{"image/nginx:*", "container/web-1"},
		{"image/registry.example/all", "container/api container/cache container/web-1"},
		{"image/aaaaaaaaaaaa", "container/api container/cache container/web-1"},
	} {
		t.Run(test.targets, func(t *testing.T) {
			got, err := expand(sampleHost(), strings.Fields(test.targets))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Fields(test.want), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestExpandIn(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{{ID: "container/cache"}, {ID: "container/web-1"}}}
	got, err := expandIn(p, sampleHost(), []string{"project/shop", "container/web-*"})
	if d := cmp.Diff([]string{"container/cache", "container/web-*"}, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got):\n%s", err, d)
	}
	if _, err := expandIn(p, sampleHost(), []string{"image/shop/api:2"}); exitCode(t.Context(), err) != exitUsage {
		t.Errorf("an image that the plan does not change: error %v", err)
	}
}

// TestExpandRefuses: a target that names nothing is never "nothing to do".
func TestExpandRefuses(t *testing.T) {
	for target, want := range map[string]string{
		"project/nosuch": `unknown target "project/nosuch"`,
		"image/nosuch":   `unknown target "image/nosuch"`,
		"image/aaaa":     `unknown target "image/aaaa"`,
		"project/[":      "cannot read target",
		"cache":          "write container/cache",
		"pod/x":          "write daemon, host, swarm, container/NAME",
	} {
		_, err := expand(sampleHost(), []string{target})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", target, err, want)
			continue
		}
		if code := exitCode(t.Context(), err); code != exitUsage {
			t.Errorf("%s: exit %d", target, code)
		}
	}
}

func TestMatchControls(t *testing.T) {
	for word, want := range map[string]string{
		"docker/live-restore": "docker/live-restore", "live-restore": "docker/live-restore", "control:live-restore": "docker/live-restore",
		"cis-docker-1.2.0:5.25": "docker/no-new-privileges",
	} {
		found, err := matchControls(rulebook(), word)
		if err != nil || len(found) != 1 || found[0].ID != want {
			t.Errorf("%s: found %d, error %v", word, len(found), err)
		}
	}
	var usage *usageError
	if _, err := matchControls(rulebook(), "live-restor"); !errors.As(err, &usage) || !strings.Contains(usage.text, "live-restore") {
		t.Errorf("error %v does not suggest live-restore", err)
	}
	if _, err := matchControls(rulebook(), "E"); err == nil {
		t.Error("a STRIDE letter is taken for a benchmark number")
	}
}

func TestUnproven(t *testing.T) {
	web := plan.Container("web", "old")
	steps := []plan.Step{{ID: "container/web", Resource: web, Controls: []string{"a", "b", "c", "d"}}}
	now := plan.Container("web", "new") // a recreate gives a new id
	got := unproven([]plan.Finding{
		{Control: "a", Resource: now, Status: plan.Pass},
		{Control: "b", Resource: now, Status: plan.Fail},
		{Control: "c", Resource: now, Status: plan.Unknown},
		{Control: "b", Resource: plan.Container("other", "x"), Status: plan.Fail},
		{Control: "z", Resource: now, Status: plan.Fail},
	}, steps)
	var ids []string
	for _, f := range got {
		ids = append(ids, f.Control+" "+string(f.Status))
	}
	if d := cmp.Diff([]string{"b fail", "c unknown", "d unknown"}, ids); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A project or image whose containers go along with another one is no target without that one.
func TestTogether(t *testing.T) {
	p := &plan.Plan{Steps: []plan.Step{
		{ID: "container/vpn", Kind: plan.KindRecreate, Resource: plan.Container("vpn", "v"), Members: []plan.Member{{Resource: plan.Container("guest", "g")}}},
	}}
	for name, test := range map[string]struct {
		all, steps []string
		want       string
	}{
		"both":        {[]string{"container/guest", "container/vpn"}, []string{"container/vpn"}, ""},
		"member only": {[]string{"container/guest"}, nil, "container/guest goes along with container/vpn"},
		"neither":     {[]string{"container/web"}, nil, "the plan has no step for it"},
	} {
		err := together(p, "project/shop", test.all, test.steps)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var missing *plan.TargetError
	if _, err := narrowed(p.Steps, []string{"container/guest"}); !errors.As(err, &missing) || !strings.Contains(err.Error(), "goes along with container/vpn") {
		t.Errorf("narrowed: %v", err)
	}
}
