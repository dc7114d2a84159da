package casetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// scene is one kind of container. It is made, recreated with its changes, and brought back; after each
// the engine must show everything else as before.
type scene struct {
	row.Row
	name  string // of the container and the subtest
	given func(*stage)
	args  []string // of docker run, before the image
	image string   // of the sample images; empty: busybox
	cmd   []string
	// own is a create request for what the docker command line cannot ask; image and command are added.
	own string
	// made is for what this kernel cannot run: the container is created and never started.
	made bool
	// ready prepares the running container.
	ready func(*stage)
	// inside is a shell command in the container whose output must be the same at all times.
	inside string
	// shows is a template of docker inspect whose output must be the same at all times.
	shows   string
	changes []plan.Change // none: hardened()
	// other are the members of the answer that may differ afterwards beside the planned ones.
	other []string
	// moves are the members that may differ at all times, because the engine chooses them at every start.
	moves []string
	// after looks at the new container, back at the old one when it is in its place again.
	after, back func(*stage)
}

// stage is where a scene plays.
type stage struct {
	*testing.T
	h    *host.Host
	name string
	was  picture
	rec  remediate.Record
}

func (s *stage) docker(args ...string) string { s.Helper(); return s.h.Docker(s.T, args...) }

// sh runs a shell command in the container.
func (s *stage) sh(script string) string {
	s.Helper()
	return s.docker("exec", s.name, "sh", "-c", script)
}

func (s *stage) show(template string) string {
	s.Helper()
	return s.docker("inspect", "-f", template, s.name)
}

// want fails unless the container shows a value.
func (s *stage) want(template, value string) {
	s.Helper()
	if got := s.show(template); got != value {
		s.Errorf("%s is %q, want %q", template, got, value)
	}
}

// asleep is how a container that only waits is told to.
const asleep = "trap exit INT TERM; sleep 2147483647 & wait"

// play plays scenes side by side on one host.
func play(t *testing.T, scenes []scene, before ...func(*stage)) {
	h := host.Here(t)
	for _, name := range []string{"busybox", "anonvol"} {
		h.Image(t, name)
	}
	for _, prepare := range before {
		prepare(&stage{T: t, h: h})
	}
	t.Run("each", func(t *testing.T) {
		for i := range scenes {
			t.Run(scenes[i].name, func(t *testing.T) {
				t.Parallel()
				scenes[i].play(t, h)
			})
		}
	})
}

func (c *scene) play(t *testing.T, h *host.Host) {
	record(t, c.Row)
	s := &stage{T: t, h: h, name: c.name}
	if c.given != nil {
		c.given(s)
	}
	c.make(s)
	if c.ready != nil {
		c.ready(s)
	}
	s.was = inspect(t, h, s.name)
	inside, shows, layer := c.look(s)
	r, all := recreator(t, h), mine(t, h, s.name)
	st := step(t, h, s.name, c.planned()...)
	s.rec = done(t, r, st)

	now := inspect(t, h, s.name)
	if now.id() == s.was.id() || now.status() != s.was.status() {
		t.Fatalf("after apply it is %s (was %s):\n%s", now.status(), s.was.status(), mine(t, h, s.name))
	}
	if found := differ(s.was, now, c.allowed()...); len(found) > 0 {
		t.Errorf("after apply:\n%s", strings.Join(found, "\n"))
	}
	c.same(s, "apply", inside, shows, layer)
	if c.after != nil {
		c.after(s)
	}

	out := undone(t, r, st, s.rec)
	if out.How != plan.Exact || len(out.Notes) > 0 {
		t.Errorf("Undo: %+v", out)
	}
	c.isBack(s, all)
	c.same(s, "rollback", inside, shows, layer)
	if c.back != nil {
		c.back(s)
	}
	if out = undone(t, r, st, s.rec); !out.Nothing {
		t.Errorf("a second Undo did something: %+v", out)
	}
}

// isBack: the old container is in its place, and nothing else is left.
func (c *scene) isBack(s *stage, all string) {
	s.Helper()
	now := inspect(s.T, s.h, s.name)
	if now.id() != s.was.id() {
		s.Fatalf("after rollback another container has the name:\n%s", mine(s.T, s.h, s.name))
	}
	if found := differ(s.was, now, c.moves...); len(found) > 0 {
		s.Errorf("after rollback:\n%s", strings.Join(found, "\n"))
	}
	if got := mine(s.T, s.h, s.name); got != all {
		s.Errorf("after rollback there are\n%s\nbefore\n%s", got, all)
	}
}

func (c *scene) make(s *stage) {
	s.Helper()
	image, verb := c.image, []string{"run", "-d"}
	if image == "" {
		image = "busybox"
	}
	if c.made {
		verb = []string{"create"}
	}
	cmd := c.cmd
	if cmd == nil && !slices.Contains(c.args, "--entrypoint") {
		cmd = []string{"sh", "-c", asleep}
	}
	if !strings.Contains(image, ":") {
		image = s.h.Image(s.T, image)
	}
	if c.own != "" {
		c.create(s, image)
		return
	}
	s.docker(slices.Concat(verb, []string{"--name", s.name}, c.args, []string{image}, cmd)...)
}

func (c *scene) create(s *stage, image string) {
	s.Helper()
	var request map[string]any
	if err := json.Unmarshal([]byte(c.own), &request); err != nil {
		s.Fatal(err)
	}
	request["Image"], request["Cmd"] = image, []string{"sh", "-c", asleep}
	socket(s.T).post(s.T, "/v1.41/containers/create?name="+s.name, text(request))
	if !c.made {
		s.docker("start", s.name)
	}
}

func (c *scene) planned() []plan.Change {
	if c.changes == nil {
		return hardened()
	}
	return c.changes
}

func (c *scene) allowed() []string {
	all := slices.Concat(c.other, c.moves)
	for _, ch := range c.planned() {
		all = append(all, ch.Path)
	}
	return all
}

// look is what a person sees of the container.
func (c *scene) look(s *stage) (inside, shows, layer string) {
	s.Helper()
	if c.inside != "" {
		inside = s.sh(c.inside)
	}
	if c.shows != "" {
		shows = s.show(c.shows)
	}
	list, err := s.h.Client(s.T).ContainerDiff(s.Context(), s.name)
	if err != nil {
		s.Fatal(err)
	}
	var lines []string
	for _, one := range list {
		lines = append(lines, one.Kind.String()+" "+one.Path)
	}
	slices.Sort(lines)
	return inside, shows, strings.Join(lines, "\n")
}

func (c *scene) same(s *stage, when, inside, shows, layer string) {
	s.Helper()
	nowInside, nowShows, nowLayer := c.look(s)
	for _, f := range []struct{ what, was, is string }{
		{c.inside, inside, nowInside}, {c.shows, shows, nowShows}, {"its layer", layer, nowLayer},
	} {
		if f.was != f.is {
			s.Errorf("after %s, %s shows\n%s\nbefore\n%s", when, f.what, f.is, f.was)
		}
	}
	if slices.ContainsFunc(c.planned(), func(ch plan.Change) bool { return strings.Contains(string(ch.To), "no-new-privileges:true") }) && !c.made {
		want := map[string]string{"apply": "1", "rollback": "0"}[when]
		if got := status(s.T, s.h, s.name, "NoNewPrivs"); got != want {
			s.Errorf("after %s the kernel says NoNewPrivs %s", when, got)
		}
	}
}
