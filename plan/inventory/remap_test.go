package inventory

import (
	"strings"
	"testing"

	"docker-harden/cmd/testhost/host"
)

// Users are remapped to who has a group and enough ids of his own; by default the engine makes such a user.
func TestRemapsTo(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\napps:x:1000:1000::/:/bin/sh\nalone:x:1001:1001::/:/bin/sh\nfew:x:1002:1002::/:/bin/sh\n"
	files := map[string]string{
		"/etc/passwd": passwd, "/etc/group": "root:x:0:\napps:x:1000:\nfew:x:1002:\nshop:x:2000:\n", "/usr/sbin/useradd": "",
		"/etc/subuid": "apps:100000:65536\nalone:300000:32768\nalone:400000:32768\nfew:200000:1000\n", "/etc/subgid": "apps:100000:65536\nalone:300000:65536\nfew:200000:65536\n",
	}
	root := tree(t, files)
	for setting, want := range map[string]string{
		"default": "", "apps": "", "apps:shop": "", "alone:shop": "",
		"alone":   "there is no alone in /etc/group",
		"ghost":   "there is no ghost in /etc/passwd",
		"apps:no": "there is no no in /etc/group",
		"few":     "/etc/subuid gives few 1000 ids",
		"root":    "root remapped to itself",
		"1000":    "it is neither",
		"a b":     "it is neither",
		"apps:":   "it is neither",
	} {
		made, problem := root.remapsTo(setting)
		if (want == "") != (problem == "") || !strings.HasPrefix(problem, want) || made != (setting == "default") {
			t.Errorf("%s: %t %q, want %q", setting, made, problem, want)
		}
	}
	files["/etc/passwd"] += "dockremap:x:102:107::/nonexistent:/bin/false\n"
	if made, problem := tree(t, files).remapsTo(DefaultRemap); made || problem != "" {
		t.Errorf("the user is there already: %t %q", made, problem)
	}
	if made, problem := tree(t, map[string]string{"/etc/passwd": passwd}).remapsTo(DefaultRemap); !made || !strings.Contains(problem, "neither") {
		t.Errorf("nobody can make the user: %t %q", made, problem)
	}
}

// What an engine would lose sight of is all listed.
func TestRemapLosesSightOf(t *testing.T) {
	h := host.Here(t)
	h.Docker(t, "create", "--name", "old", "-v", "data:/data", h.Image(t, "busybox"))
	h.Docker(t, "network", "create", "shop")
	found, err := Collect(t.Context(), h.Client(t), Options{Remap: "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	m := found.Remap
	if m == nil || m.Problem == "" || m.Unread != "" || strings.Join(m.Containers, " ") != "old" || strings.Join(m.Volumes, " ") != "data" || strings.Join(m.Networks, " ") != "shop" ||
		!strings.Contains(strings.Join(m.Images, " "), "busybox") {
		t.Errorf("%+v", m)
	}
	if found := observe(t, h); found.Remap != nil {
		t.Errorf("nobody asked for %+v", found.Remap)
	}
}
