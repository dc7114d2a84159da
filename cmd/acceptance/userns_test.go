package acceptance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
)

// An engine that has nothing to lose sight of but images remaps users as the profile answers, and has its old data
// directory again after a rollback. What would be lost sight of is named, also when it comes after the plan.
func TestUsernsRemapThereAndBack(t *testing.T) {
	o := newOperator(t)
	busybox := o.host.Image(t, "busybox")
	answer := func(params string) {
		t.Helper()
		text := "format: docker-harden/profile/v1\nname: answer\ncontrols: {docker/userns-remap: {params: {" + params + "}}}\n"
		if err := os.WriteFile(filepath.Join(o.dir, "answer.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(why string) {
		t.Helper()
		if made := o.run(0, "plan", "-p", "answer.yaml", "-o", "no.plan"); len(o.plan("no.plan").Steps) != 0 || !strings.Contains(words(made.stdout), why) {
			t.Errorf("the plan does not refuse because of %q", why)
		}
	}
	answer("remap: default")
	refused("Answer in the profile: controls: {docker/userns-remap: {params: {remap: default, leave: images}}}")
	answer("remap: nobody:nogroup, leave: images")
	refused("/etc/subuid gives nobody 0 ids")
	answer("remap: default, leave: images")
	o.host.Docker(t, "create", "--name", "old", "-v", "data:/data", busybox)
	refused("the engine would lose sight of 1 container (old), 1 volume (data)")
	o.host.Docker(t, "rm", "old")
	refused("the engine would lose sight of 1 volume (data)")
	o.host.Docker(t, "volume", "rm", "data")

	before, images := o.record("before"), o.host.Docker(t, "images", "--no-trunc")
	o.run(0, "plan", "-p", "answer.yaml", "-o", "remap.plan")
	steps := o.plan("remap.plan").Steps
	if len(steps) != 1 || len(steps[0].Changes) != 1 || steps[0].Changes[0].Path != "userns-remap" || steps[0].Changes[0].Reversibility != plan.Functional {
		t.Fatalf("the plan has %+v", steps)
	}
	o.host.Docker(t, "volume", "create", "late")
	if late := o.run(5, "apply", "remap.plan", "-y"); !strings.Contains(late.stderr, "plan again") {
		t.Error("what came after the plan is not refused with what to do")
	}
	o.host.Docker(t, "volume", "rm", "late")
	o.run(0, "apply", "remap.plan", "-y")

	if got := o.host.Docker(t, "info", "-f", "{{.SecurityOptions}} {{.DockerRootDir}}"); !strings.Contains(got, "name=userns") || strings.HasSuffix(got, "/docker") {
		t.Errorf("the engine is %s", got)
	}
	if got := strings.Fields(o.host.Docker(t, "run", "--rm", o.host.Image(t, "busybox"), "cat", "/proc/self/uid_map")); len(got) != 3 || got[1] == "0" {
		t.Errorf("root in a container is user %q of the host", got)
	}
	o.run(0, "verify")
	again := o.run(0, "plan", "-p", "answer.yaml", "-o", "again.plan")
	if len(o.plan("again.plan").Steps) != 0 || !strings.Contains(strings.ToLower(again.stdout), "no changes") {
		t.Error("a plan after the apply still changes something")
	}
	back := o.run(0, "rollback", "-y")
	if said := words(back.stdout + back.stderr); !strings.Contains(said, "the data directory of the remapped engine stays") {
		t.Error("the rollback does not say what stays")
	}
	o.script("check", before, o.record("after"))
	if now := o.host.Docker(t, "images", "--no-trunc"); strings.Join(firsts(now), " ") != strings.Join(firsts(images), " ") {
		t.Errorf("images are\n%s\nand were\n%s", now, images)
	}
	if left, err := filepath.Glob("/var/lib/docker/[0-9]*.[0-9]*"); err != nil || len(left) != 1 || os.RemoveAll(left[0]) != nil {
		t.Errorf("of the remapped engine there is %q, %v", left, err)
	}
}

// firsts are the names and ids of a list of images, without how old they are, by which the engine sorts them.
func firsts(list string) []string {
	var out []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		out = append(out, strings.Join(fields[:3], " "))
	}
	slices.Sort(out)
	return out
}
