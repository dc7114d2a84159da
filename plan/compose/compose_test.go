package compose

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func wish(field, from, to string) plan.Change {
	return plan.Change{Path: "HostConfig." + field, From: json.RawMessage(from), To: json.RawMessage(to)}
}

// hardening is one change of each setting, none of which takes something out of a list.
func hardening() []plan.Change {
	return []plan.Change{
		wish("CapDrop", `["KILL"]`, `["KILL","CAP_MKNOD","net_raw"]`), wish("SecurityOpt", `["no-new-privileges:false"]`, `["no-new-privileges:true"]`),
		wish("ReadonlyRootfs", "false", "true"), wish("Tmpfs", `{"/run":""}`, `{"/run":"","/tmp":"size=16m","/a$b":""}`),
		wish("Memory", "0", "134217728"), wish("MemorySwap", "0", "268435457"), wish("PidsLimit", "null", "256"), wish("CpuShares", "0", "1024"),
		wish("RestartPolicy", `{"Name":"always","MaximumRetryCount":0}`, `{"Name":"on-failure","MaximumRetryCount":5}`),
		checking(`null`),
	}
}

func member(name, project, service string, more ...string) inventory.Container {
	c := inventory.Container{ID: "id-" + name, Name: name, Owner: inventory.Owner{Kind: inventory.OwnedByCompose, Name: project + "/" + service}}
	c.Inspect.Config.Labels = map[string]string{
		inventory.ComposeProject: project, inventory.ComposeService: service, inventory.ComposeDir: "/srv/" + project,
		inventory.ComposeConfig: "/srv/" + project + "/compose.yaml", inventory.ComposeVersion: "2.26.1",
	}
	for i := 0; i+1 < len(more); i += 2 {
		c.Inspect.Config.Labels[more[i]] = more[i+1]
	}
	c.Inspect.State.Running = true
	c.Raw = json.RawMessage(`{"HostConfig":{}}`)
	return c
}

func step(c inventory.Container, changes ...plan.Change) plan.Step {
	return plan.Step{ID: c.Resource().String(), Resource: c.Resource(), Kind: plan.KindRecreate, Changes: changes}
}

func hostWith(containers ...inventory.Container) *inventory.Host {
	return &inventory.Host{Containers: containers}
}

// one makes the only override of a host.
func one(t *testing.T, h *inventory.Host, steps ...plan.Step) *Override {
	t.Helper()
	all := Overrides(h, &plan.Plan{Steps: steps})
	if len(all) != 1 {
		t.Fatalf("%d overrides, want 1", len(all))
	}
	return all[0]
}

func text(t *testing.T, o *Override, name string) string {
	t.Helper()
	data, err := o.File(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFile(t *testing.T) {
	web := member("shop-web-1", "shop", "web")
	o := one(t, hostWith(web), step(web, hardening()...))
	got := text(t, o, "/root/my plans/compose.harden.yaml")
	head, rest, _ := strings.Cut(got, "\n"+sumMark)
	_, rest, _ = strings.Cut(rest, "\n")
	if head != "# docker-harden: hardening that a plan gave to Compose project shop" {
		t.Error(head)
	}
	want := `#
# Compose makes containers again from its project's files, and would make these without the plan's
# changes. Give it this file after them, every time:
#   docker compose -p shop -f /srv/shop/compose.yaml -f '/root/my plans/compose.harden.yaml' up -d
# or for good, as COMPOSE_FILE=/srv/shop/compose.yaml:/root/my plans/compose.harden.yaml in the project's .env file.
# The first up with it makes each of these containers again once. It holds no secrets.
services:
  web:
    cap_drop:
      - MKNOD
      - NET_RAW
    security_opt:
      - no-new-privileges:true
    read_only: true
    tmpfs:
      - /a$$b
      - /tmp:size=16m
    mem_limit: 128m
    memswap_limit: 268435457b
    pids_limit: 256
    cpu_shares: 1024
    restart: on-failure:5
    healthcheck:
      test:
        - CMD-SHELL
        - test $$n = 1
      interval: 30s
      timeout: 1m30s
      start_period: 1.5s
      retries: 3
`
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Error(diff)
	}
	if len(o.Left) != 0 || o.Tagged {
		t.Errorf("left %q, tagged %t", o.Left, o.Tagged)
	}
}

func TestFormsOfAFile(t *testing.T) {
	uncap := []plan.Change{wish("CapAdd", `["SYS_TIME","KILL"]`, `["KILL"]`), wish("CapDrop", `["ALL"]`, `[]`)}
	noFilter := wish("SecurityOpt", `["seccomp=unconfined"]`, `["no-new-privileges:true"]`)
	profile := wish("SecurityOpt", `["label=disable","seccomp={\"a\":1}"]`, `["seccomp={\"a\":1}"]`)
	v1 := []string{inventory.ComposeVersion, "1.29.2"}
	for name, test := range map[string]struct {
		labels  []string
		under   []string // deploy
		changes []plan.Change
		want    string
		left    string
		tagged  bool
	}{
		"out of lists":        {nil, nil, uncap, "cap_drop: !override []\n    cap_add: !override\n    - KILL\n", "", true},
		"out of lists, old":   {v1, nil, uncap, "", "web: cap_add: docker-compose 1.x takes no entry out of a list; take SYS_TIME out of the project's file\nweb: cap_drop: docker-compose 1.x", false},
		"filter on":           {nil, nil, []plan.Change{noFilter}, "security_opt: !override\n    - no-new-privileges:true\n", "", true},
		"filter on, old":      {v1, nil, []plan.Change{noFilter}, "security_opt:\n      - no-new-privileges:true\n", "take seccomp=unconfined out", false},
		"a profile":           {nil, nil, []plan.Change{profile}, "", "web: security_opt: it holds a profile", false},
		"limits under deploy": {nil, []string{"limits", "restart_policy"}, hardening(), "deploy:\n      resources:\n        limits:\n          memory: 128m\n          pids: 256\n      restart_policy:\n        condition: on-failure\n        max_attempts: 5\n", "", false},
		"deploy, old":         {v1, []string{"limits", "restart_policy"}, hardening(), "restart: on-failure:5\n", "", false},
		"too old for tags":    {[]string{inventory.ComposeVersion, "v2.20.0"}, nil, uncap, "!override", "made with Compose v2.20.0; the file may need 2.24.4", true},
		"no swap accounting":  {nil, nil, []plan.Change{wish("MemorySwap", "0", "-1"), wish("PidsLimit", "null", "9")}, "web:\n    pids_limit: 9\n", "", false},
		"policy":              {nil, nil, []plan.Change{wish("RestartPolicy", `{"Name":"on-failure"}`, `{"Name":"unless-stopped"}`)}, "restart: unless-stopped\n", "", false},
		"unknown forms": {
			nil, nil,
			[]plan.Change{
				wish("CapDrop", "null", "7"), wish("SecurityOpt", "null", "7"), wish("Tmpfs", "null", "7"), wish("ReadonlyRootfs", "null", "7"), wish("Memory", "null", `"7"`),
				wish("MemorySwap", "0", `""`), wish("PidsLimit", "0", `""`), wish("RestartPolicy", "0", `{}`), wish("CpuShares", "0", `""`),
			},
			"", "web: restart: it has a form that is not known", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			web := member("shop-web-1", "shop", "web", test.labels...)
			h := hostWith(web)
			h.Compose = map[string]inventory.ComposeFile{"/srv/shop/compose.yaml": {Deploy: map[string][]string{"web": test.under}}}
			o := one(t, h, step(web, test.changes...))
			if got := text(t, o, "x"); !strings.Contains(got, test.want) || (test.want == "") != o.Empty() {
				t.Errorf("want %q in\n%s", test.want, got)
			}
			if left := strings.Join(o.Left, "\n"); !strings.Contains(left, test.left) || (left == "") != (test.left == "") || o.Tagged != test.tagged {
				t.Errorf("left %q, want %q; tagged %t", left, test.left, o.Tagged)
			}
		})
	}
}

// TestScaled: the containers of one service must end alike, also those that the plan does not touch.
func TestScaled(t *testing.T) {
	limit := func(n string) plan.Change { return wish("Memory", "0", n) }
	drop := wish("CapDrop", "null", `["MKNOD"]`)
	a, b := member("shop-web-1", "shop", "web"), member("shop-web-2", "shop", "web")
	has := func(c inventory.Container, hostConfig string) inventory.Container {
		c.Raw = json.RawMessage(`{"HostConfig":` + hostConfig + `}`)
		return c
	}
	for name, test := range map[string]struct {
		containers []inventory.Container
		steps      []plan.Step
		want       []string
		left       string
	}{
		"alike":             {[]inventory.Container{a, b}, []plan.Step{step(a, drop, limit("5")), step(b, drop, limit("5"))}, []string{"web: cap_drop", "web: mem_limit"}, ""},
		"differ":            {[]inventory.Container{a, b}, []plan.Step{step(a, drop, limit("5")), step(b, drop, limit("6"))}, []string{"web: cap_drop"}, "web: mem_limit: its containers would not agree (shop-web-1 5, shop-web-2 6): give them one value in the profile"},
		"one has it":        {[]inventory.Container{a, has(b, `{"CapDrop":["MKNOD"]}`)}, []plan.Step{step(a, drop)}, []string{"web: cap_drop"}, ""},
		"one stays without": {[]inventory.Container{a, b}, []plan.Step{step(a, drop)}, nil, "would not agree"},
		"differ now": {
			[]inventory.Container{a, has(b, `{"CapDrop":["KILL"]}`)},
			[]plan.Step{step(a, drop), step(b, wish("CapDrop", `["KILL"]`, `["MKNOD"]`))},
			nil, "its containers differ now",
		},
		"one-off":      {[]inventory.Container{a, member("shop-web-run-1", "shop", "web", inventory.ComposeOneOff, "True")}, []plan.Step{step(a, drop)}, []string{"web: cap_drop"}, ""},
		"other owner":  {[]inventory.Container{a, {ID: "x", Name: "x"}}, []plan.Step{step(a, drop)}, []string{"web: cap_drop"}, ""},
		"bad service":  {[]inventory.Container{member("x", "shop", "a: {b")}, []plan.Step{step(member("x", "shop", "a: {b"), drop)}, nil, "Compose takes no such name"},
		"two services": {[]inventory.Container{a, member("shop-db-1", "shop", "db")}, []plan.Step{step(a, drop), step(member("shop-db-1", "shop", "db"), drop)}, []string{"db: cap_drop", "web: cap_drop"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := one(t, hostWith(test.containers...), test.steps...)
			if diff := cmp.Diff(test.want, o.Settings()); diff != "" {
				t.Error(diff)
			}
			if left := strings.Join(o.Left, "\n"); !strings.Contains(left, test.left) || (left == "") != (test.left == "") {
				t.Errorf("left %q", left)
			}
		})
	}
	if got := Overrides(hostWith(a), &plan.Plan{}); len(got) != 0 {
		t.Errorf("a plan without steps has %d overrides", len(got))
	}
}

func TestProjects(t *testing.T) {
	drop := wish("CapDrop", "null", `["MKNOD"]`)
	a, b := member("a", "shop", "web"), member("b", "../sh op", "web")
	all := Overrides(hostWith(a, b), &plan.Plan{Steps: []plan.Step{step(a, drop), step(b, drop)}})
	if len(all) != 2 || all[1].FileName(true) != "shop.compose.harden.yaml" || all[0].FileName(true) != "___sh_op.compose.harden.yaml" || all[0].FileName(false) != "compose.harden.yaml" {
		t.Errorf("%v", all)
	}
}

func TestCommand(t *testing.T) {
	drop := wish("CapDrop", "null", `["MKNOD"]`)
	for name, test := range map[string]struct {
		labels []string
		want   string
		remark string
	}{
		"old":         {[]string{inventory.ComposeVersion, "1.29.2"}, "docker-compose -p shop -f /srv/shop/compose.yaml -f h.yaml up -d", ""},
		"elsewhere":   {[]string{inventory.ComposeDir, "/srv"}, "docker compose -p shop --project-directory /srv -f /srv/shop/compose.yaml -f h.yaml up -d", ""},
		"several":     {[]string{inventory.ComposeConfig, "a.yaml,b.yaml"}, "docker compose -p shop -f /srv/shop/a.yaml -f /srv/shop/b.yaml -f h.yaml up -d", ""},
		"environment": {[]string{inventory.ComposeEnv, "/srv/e"}, "docker compose -p shop --env-file /srv/e -f /srv/shop/compose.yaml -f h.yaml up -d", ""},
		"unknown":     {[]string{inventory.ComposeConfig, "", inventory.ComposeDir, ""}, "docker compose -p shop -f compose.yaml -f h.yaml up -d", "are not known"},
		"stdin":       {[]string{inventory.ComposeConfig, "-"}, "docker compose -p shop --project-directory /srv/shop -f - -f h.yaml up -d", "standard input"},
		"hostile":     {[]string{inventory.ComposeConfig, "/srv/shop/$(id).yaml\x1b[2J\nservices: {}"}, "docker compose -p shop", ""},
	} {
		t.Run(name, func(t *testing.T) {
			web := member("shop-web-1", "shop", "web", test.labels...)
			o := one(t, hostWith(web), step(web, drop))
			if got := o.Command("h.yaml"); !strings.HasPrefix(got, test.want) || strings.ContainsAny(got, "\n\x1b") {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			file := text(t, o, "h.yaml")
			if !strings.Contains(file, test.remark) || strings.Contains(file, "\x1b") || strings.Count(file, "\nservices:") != 1 {
				t.Error(file)
			}
		})
	}
}

func TestEarlier(t *testing.T) {
	web := member("shop-web-1", "shop", "web")
	h := hostWith(web)
	h.Compose = map[string]inventory.ComposeFile{"/srv/shop/compose.yaml": {Deploy: map[string][]string{"web": {"limits"}}}}
	o := one(t, h, step(web, append(hardening(), wish("CapAdd", `["KILL"]`, "[]"))...))
	file := text(t, o, "x")
	got, ok := Earlier([]byte(file))
	if diff := cmp.Diff(o.Settings(), got); !ok || diff != "" {
		t.Errorf("%t %s", ok, diff)
	}
	for name, spoiled := range map[string]string{
		"edited": strings.Replace(file, "read_only: true", "read_only: false", 1), "empty": "", "foreign": "services: {}\n",
		"torn": file[:len(file)-5], "no body": mark + "x\n" + sumMark + sum(nil) + "\n- a\n", "longer": file + "#\n",
	} {
		if _, ok := Earlier([]byte(spoiled)); ok {
			t.Errorf("%s: taken for ours", name)
		}
	}
}

func TestAdvice(t *testing.T) {
	web := member("shop-web-1", "shop", "web")
	o := one(t, hostWith(web), step(web, hardening()...))
	a := o.Advice("/p/compose.harden.yaml", true)
	if a.File != "/p/compose.harden.yaml" || a.Owner != "Compose project shop" || len(a.Copy) != 1 || a.Targets[0] != "container/shop-web-1" {
		t.Errorf("%+v", a)
	}
	if a := o.Advice("compose.harden.yaml", false); a.File != "" || !strings.Contains(a.Text[0], "plan -o FILE writes it") {
		t.Errorf("%+v", a)
	}
	bad := one(t, hostWith(web), step(web, wish("Tmpfs", "null", "7")))
	if a := bad.Advice("x", true); !strings.Contains(a.Text[0], "no override file can keep it") || len(a.Copy) != 1 {
		t.Errorf("%+v", a)
	}
}

// TestComposeTakesIt gives the file to the Compose of this machine, and reads what it makes of both files.
func TestComposeTakesIt(t *testing.T) {
	program, err := exec.LookPath("docker-compose")
	if err != nil {
		t.Fatalf("%v; install it: apt-get install docker-compose", err)
	}
	dir := t.TempDir()
	base := "services:\n  web:\n    image: x\n    cap_drop: [KILL]\n    security_opt: ['no-new-privileges:false']\n    tmpfs: [/run]\n    restart: always\n  db:\n    image: x\n"
	web := member("shop-web-1", "shop", "web", inventory.ComposeVersion, "1.29.2")
	o := one(t, hostWith(web), step(web, hardening()...))
	for name, data := range map[string]string{"compose.yaml": base, "compose.harden.yaml": text(t, o, "x")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "-p", "shop", "-f", "compose.yaml", "-f", "compose.harden.yaml", "config")
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	var file struct{ Services map[string]map[string]any }
	if err := yaml.Unmarshal(out, &file); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	got := file.Services["web"]
	for key, want := range map[string][]string{
		"cap_drop": {"KILL", "MKNOD", "NET_RAW"}, "tmpfs": {"/run", "/tmp:size=16m"}, "security_opt": {"no-new-privileges:true"},
	} {
		for _, w := range want {
			if !strings.Contains(mustJSON(t, got[key]), `"`+w+`"`) {
				t.Errorf("%s: %s is missing in %v", key, w, got[key])
			}
		}
	}
	for key, want := range map[string]string{"read_only": "true", "pids_limit": "256", "cpu_shares": "1024", "restart": `"on-failure:5"`} {
		if have := mustJSON(t, got[key]); have != want {
			t.Errorf("%s is %s, want %s", key, have, want)
		}
	}
	if m := mustJSON(t, got["mem_limit"]); m != `"128m"` && m != "134217728" && m != `"134217728"` {
		t.Errorf("mem_limit is %s", m)
	}
	if len(file.Services["db"]) > 2 {
		t.Errorf("another service changed: %v", file.Services["db"])
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
