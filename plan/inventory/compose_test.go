package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestComposeDeploy(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		want map[string][]string
		bad  string
	}{
		"none":     {"services: {web: {image: x, mem_limit: 1g}}", nil, ""},
		"memory":   {"services:\n  web:\n    deploy:\n      resources:\n        limits:\n          memory: 64M\n", map[string][]string{"web": {"limits"}}, ""},
		"number":   {"services: {web: {deploy: {resources: {limits: {memory: 67108864, pids: 50, cpus: '0.5'}}}}}", map[string][]string{"web": {"limits"}}, ""},
		"anchor":   {"x-l: &l {memory: 1g}\nservices:\n  web:\n    deploy: {resources: {limits: *l}}\n  db:\n    deploy: {resources: {limits: {<<: *l, pids: 9}}}\n", map[string][]string{"web": {"limits"}, "db": {"limits"}}, ""},
		"policy":   {"services: {web: {deploy: {restart_policy: {condition: any}}}}", map[string][]string{"web": {"restart_policy"}}, ""},
		"tag":      {"services: {web: {ports: !override ['1:1'], deploy: {replicas: 2}}}", nil, ""},
		"empty":    {"", nil, ""},
		"variable": {"services: {web: {deploy: {resources: {limits: {memory: '${M:-1g}'}}}}}", map[string][]string{"web": {"limits"}}, ""},
		"no yaml":  {"services: [", nil, "not YAML"},
		"list":     {"- a\n- b\n", nil, "not YAML"},
		"shape":    {"services: {web: {deploy: {resources: {limits: [hunter2]}}}}", nil, "not YAML"},
		"long":     {strings.Repeat("a: b\n", 1+maxComposeTokens/3), nil, "more than are looked at"},
		"large":    {strings.Repeat("#", maxComposeFile+1), nil, "larger than 256 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := composeDeploy([]byte(test.file))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if (err != nil) != (test.bad != "") || err != nil && !strings.Contains(err.Error(), test.bad) {
				t.Errorf("error %v, want %q", err, test.bad)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

// TestComposeBomb: a file made to explode when it is read is read in an instant.
func TestComposeBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 30; i++ {
		prev := "*a" + string(rune('0'+(i-1)%10))
		b.WriteString("b" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ": &a" + string(rune('0'+i%10)) + " [" + strings.Repeat(prev+", ", 9) + prev + "]\n")
	}
	b.WriteString("services: {web: {deploy: {resources: {limits: {memory: 1g}}}}}\n")
	got, err := composeDeploy([]byte(b.String()))
	if err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
}

func TestComposeFiles(t *testing.T) {
	root := tree(t, map[string]string{
		"/srv/shop/compose.yaml": "services: {web: {deploy: {resources: {limits: {memory: 1g}}}}}", "/srv/link.yaml": "-> /srv/shop/compose.yaml", "/srv/dir/": "",
	})
	for name, want := range map[string]ComposeFile{
		"/srv/shop/compose.yaml": {Deploy: map[string][]string{"web": {"limits"}}},
		"/srv/link.yaml":         {Deploy: map[string][]string{"web": {"limits"}}},
		"/srv/gone.yaml":         {Problem: "it does not exist"},
		"/srv/dir":               {Problem: "cannot read /srv/dir: it is not a regular file"},
	} {
		if diff := cmp.Diff(want, root.composeFile(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	var c Container
	c.Inspect.Config.Labels = map[string]string{
		ComposeDir: "/srv/shop", ComposeConfig: "compose.yaml,../common.yaml,/etc/x.yaml,-", ComposeEnv: "",
	}
	if diff := cmp.Diff([]string{"/srv/shop/compose.yaml", "/srv/common.yaml", "/etc/x.yaml", "-"}, c.ComposeFiles()); diff != "" {
		t.Error(diff)
	}
	if got := c.ComposeEnvFiles(); got != nil {
		t.Errorf("%v", got)
	}
	delete(c.Inspect.Config.Labels, ComposeDir)
	if got := c.ComposeFiles(); got[0] != "compose.yaml" {
		t.Errorf("without a directory: %v", got)
	}
}
