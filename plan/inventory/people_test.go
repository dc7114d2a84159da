package inventory

import (
	"slices"
	"testing"
)

func TestGroup(t *testing.T) {
	root := tree(t, map[string]string{
		"/etc/group":  "root:x:0:\ndocker:x:998:alice,ci\nother:x:5:bob\nalias:x:998:eve\ntorn\n",
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\ncarol:x:1001:998::/home/carol:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n",
	})
	g := root.group("docker")
	if !g.Exists || g.GID != "998" || !slices.Equal(g.Members, []string{"alice", "carol", "ci", "eve"}) || g.Problem != "" {
		t.Errorf("%+v", g)
	}
	if !slices.Equal(g.Listed, []string{"alice", "ci"}) || !slices.Equal(g.Otherwise, []string{"carol", "eve"}) {
		t.Errorf("%+v", g)
	}
	if by := root.group("998"); by.Name != "docker" || !slices.Equal(by.Members, g.Members) {
		t.Errorf("by its number: %+v", by)
	}
	if g := root.group("none"); g.Exists || len(g.Members) > 0 || g.Problem != "" {
		t.Errorf("%+v", g)
	}
	if g := tree(t, nil).group("docker"); g.Exists || g.Problem != "" {
		t.Errorf("no list at all: %+v", g)
	}
}

func TestDataRoot(t *testing.T) {
	root := tree(t, map[string]string{"/var/lib/docker/a": "x"})
	if d := root.dataRoot("/var/lib/docker"); d.Separate || d.Problem != "" || d.Path != "/var/lib/docker" {
		t.Errorf("%+v", d)
	}
	for _, name := range []string{"", "/none"} {
		if d := root.dataRoot(name); d.Problem == "" {
			t.Errorf("%q: %+v", name, d)
		}
	}
	if d := hostRoot("").dataRoot("/proc"); !d.Separate || d.Problem != "" {
		t.Errorf("/proc: %+v", d)
	}
}
