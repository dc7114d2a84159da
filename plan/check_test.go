package plan_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan"
)

// trusted is a plan file that may be read, in a directory of its own.
func trusted(t *testing.T) (dir, name string) {
	t.Helper()
	p, err := plan.Build(input(fail("docker/log-level", plan.Daemon(), change("log-level", "null", `"info"`, plan.KindRestart))))
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "plans")
	name = filepath.Join(dir, "host.plan")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(name, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := plan.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return dir, name
}

// Who could have written the file, or put it there, decides whether it is read.
func TestReadFileTrustsOnlyItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
	const nobody = 65534
	for name, test := range map[string]struct {
		spoil func(dir, name string) error
		want  string // "": it is read
	}{
		"group may write":            {func(_, name string) error { return os.Chmod(name, 0o620) }, "chmod 0600"},
		"others may write":           {func(_, name string) error { return os.Chmod(name, 0o602) }, "chmod 0600"},
		"others may read":            {func(_, name string) error { return os.Chmod(name, 0o644) }, ""},
		"somebody else's":            {func(_, name string) error { return os.Chown(name, nobody, 0) }, "it belongs to uid 65534"},
		"everybody's directory":      {func(dir, _ string) error { return os.Chmod(dir, 0o777) }, "everybody may put another file in its place"},
		"everybody's, sticky":        {func(dir, _ string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, ""},
		"somebody's directory":       {func(dir, _ string) error { return os.Chown(dir, nobody, nobody) }, ""},
		"a directory":                {func(_, name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o700)) }, "not a regular file"},
		"a link to a plan":           {func(_, name string) error { return errors.Join(os.Rename(name, name+"2"), os.Symlink(name+"2", name)) }, ""},
		"a link to everybody's file": {linkToSpoilt, "chmod 0600"},
		"a link into everybody's":    {linkIntoOpen, "everybody may put another file in its place"},
		"missing":                    {func(_, name string) error { return os.Remove(name) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, name := trusted(t)
			if err := test.spoil(dir, name); err != nil {
				t.Fatal(err)
			}
			_, _, _, err := plan.ReadFile(name)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), name)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func linkToSpoilt(_, name string) error {
	return errors.Join(os.Chmod(name, 0o666), os.Rename(name, name+"2"), os.Symlink(name+"2", name))
}

func linkIntoOpen(dir, name string) error {
	open := filepath.Join(dir, "open")
	return errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Rename(name, filepath.Join(open, "x")), os.Symlink(filepath.Join(open, "x"), name))
}

// A plan whose digest was computed anew after an edit is refused when it has steps that are never planned.
func TestDecodeRefusesStepsThatAreNeverPlanned(t *testing.T) {
	passwd := plan.File("/etc/shadow")
	for name, test := range map[string]struct {
		edit func(*plan.Plan)
		want string
	}{
		"another file under this name": {func(p *plan.Plan) { p.Steps[1].Resource = passwd }, "it is about host/etc/shadow"},
		"a path with dots": {func(p *plan.Plan) {
			p.Steps[1].Resource.Name = "/etc/docker/../shadow"
			p.Steps[1].ID = p.Steps[1].Resource.String()
		}, "no plain absolute path"},
		"a relative path": {func(p *plan.Plan) {
			p.Steps[1].Resource.Name = "etc/shadow"
			p.Steps[1].ID = p.Steps[1].Resource.String()
		}, "no plain absolute path"},
		"a container's name with a path": {func(p *plan.Plan) {
			p.Steps[2].Resource.Name = "../images/prune"
			p.Steps[2].ID = p.Steps[2].Resource.String()
		}, "is no container"},
		"a name with an escape sequence": {func(p *plan.Plan) {
			p.Steps[2].Resource.Name = "a\x1b[2J"
			p.Steps[2].ID = p.Steps[2].Resource.String()
		}, "is no container"},
		"a container without id":  {func(p *plan.Plan) { p.Steps[2].Resource.ID = "" }, "is no container"},
		"an engine with a name":   {func(p *plan.Plan) { p.Steps[0].Resource.Name = "x" }, "the engine has no name"},
		"an unknown resource":     {func(p *plan.Plan) { p.Steps[0].Resource.Kind = "kernel" }, `no resource of kind "kernel"`},
		"a kind that is none":     {func(p *plan.Plan) { p.Steps[0].Kind = "shell" }, `its kind is "shell"`},
		"the kind of another":     {func(p *plan.Plan) { p.Steps[1].Kind = plan.KindRecreate }, `its kind is "recreate"`},
		"a costlier change":       {func(p *plan.Plan) { p.Steps[1].Changes[0].Kind = plan.KindRecreate }, `is of kind "recreate"`},
		"a change of nothing":     {func(p *plan.Plan) { p.Steps[1].Changes[0].Path = "" }, `its change of ""`},
		"one setting twice":       {func(p *plan.Plan) { p.Steps[1].Changes = append(p.Steps[1].Changes, p.Steps[1].Changes[0]) }, "twice"},
		"one step twice":          {func(p *plan.Plan) { p.Steps = append(p.Steps, p.Steps[0]) }, "there are two"},
		"an order that is no one": {func(p *plan.Plan) { p.Steps[0].After = []string{"container/web"} }, "does not come before"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := plan.Build(input(
				fail("log", plan.Daemon(), change("log-level", "null", `"info"`, plan.KindRestart)),
				fail("mem", cache, change("HostConfig.Memory", "0", "1", plan.KindUpdate)),
				fail("nnp", web, change("HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate)),
				fail("mode", plan.File("/etc/docker/daemon.json"), change("mode", `"0666"`, `"0644"`, plan.KindFile)),
			))
			if err != nil {
				t.Fatal(err)
			}
			p.Steps = []plan.Step{p.Steps[0], p.Steps[3], p.Steps[2], p.Steps[1]}
			if data, _, err := plan.Encode(p); err != nil {
				t.Fatal(err)
			} else if _, _, err := plan.Decode(data); err != nil {
				t.Fatalf("unedited: %v", err)
			}
			test.edit(p)
			data, _, err := plan.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := plan.Decode(data); !errors.Is(err, plan.ErrEdited) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// Members that Build never plans are refused as well.
func TestDecodeRefusesMembersThatAreNeverPlanned(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(s *plan.Step)
		want string
	}{
		"of a live update":       {func(s *plan.Step) { s.Kind, s.Changes = plan.KindUpdate, nil }, "it takes other containers along"},
		"no container":           {func(s *plan.Step) { s.Members[0].Resource = plan.File("/etc/shadow") }, "which is no container"},
		"a name with a path":     {func(s *plan.Step) { s.Members[0].Resource.Name = "../x" }, "is no container"},
		"twice":                  {func(s *plan.Step) { s.Members[1].Resource = s.Members[0].Resource }, "along twice"},
		"the step's own":         {func(s *plan.Step) { s.Members[0].Resource.Name = "web" }, "along twice"},
		"an unknown action":      {func(s *plan.Step) { s.Members[0].Action = "remove" }, `is "remove"`},
		"a restart with changes": {func(s *plan.Step) { s.Members[1].Changes = s.Changes }, `is "restart" with 1 changes`},
		"a wrong order":          {func(s *plan.Step) { s.Members[0], s.Members[1] = s.Members[1], s.Members[0] }, "does not come before it"},
		"a change of nothing":    {func(s *plan.Step) { s.Members[0].Changes = []plan.Change{{Kind: plan.KindRecreate}} }, `its change of ""`},
		"another step's":         {func(s *plan.Step) { s.Members[0].Resource, s.Members[1].Binds = cache, nil }, "another step changes that"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(
				fail("mem", cache, change("HostConfig.Memory", "0", "1", plan.KindUpdate)),
				fail("nnp", web, change("HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate)),
			)
			side := plan.Container("side", "s")
			in.Bound = []plan.Bound{
				{Resource: side, Binds: []plan.Bind{{To: web, By: "network", Remade: true}}},
				{Resource: plan.Container("job", "j"), Binds: []plan.Bind{{To: side, By: "depends_on"}}},
			}
			p, err := plan.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			if data, _, err := plan.Encode(p); err != nil {
				t.Fatal(err)
			} else if _, _, err := plan.Decode(data); err != nil {
				t.Fatalf("unedited: %v", err)
			}
			test.edit(&p.Steps[1])
			data, _, err := plan.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := plan.Decode(data); !errors.Is(err, plan.ErrEdited) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
