package audit

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

const usualLines = "-w /etc/docker -p wa -k docker\n-w /usr/sbin/dockerd -p wa -k docker\n"

func TestThereAndBack(t *testing.T) {
	for name, c := range map[string]struct {
		before string // of the rules file; "absent"
		step   plan.Step
		loaded []string // by others, before
		file   string
		kernel []string
	}{
		"new file": {"absent", usual(), nil, head + usualLines, []string{"/etc/docker/", "/usr/sbin/dockerd"}},
		"rules of others stay": {
			"absent", usual(),
			[]string{"/home/", "/etc/docker"},
			head + usualLines,
			[]string{"/home/", "/etc/docker", "/etc/docker/", "/usr/sbin/dockerd"},
		},
		"file without -c and without an end": {"# mine\n-w /x -p r", usual(), nil, "-c\n# mine\n-w /x -p r\n" + usualLines, []string{"/etc/docker/", "/usr/sbin/dockerd"}},
		"one is there": {
			head + "-w /etc/docker -p wa -k docker\n", rulesStep(map[string][]string{"/usr/sbin/dockerd": {}}),
			[]string{"/etc/docker/"},
			head + usualLines,
			[]string{"/etc/docker/", "/usr/sbin/dockerd"},
		},
		"configured and not loaded": {
			head + usualLines, rulesStep(map[string][]string{"/etc/docker": {"file"}, "/usr/sbin/dockerd": {"file"}}), nil,
			head + usualLines,
			[]string{"/etc/docker/", "/usr/sbin/dockerd"},
		},
		"configured elsewhere": {"absent", rulesStep(map[string][]string{"/etc/docker": {"file"}}), nil, "absent", []string{"/etc/docker/"}},
		"lost at boot":         {"absent", rulesStep(map[string][]string{"/etc/docker": {"kernel"}}), []string{"/etc/docker/"}, head + "-w /etc/docker -p wa -k docker\n", []string{"/etc/docker/"}},
		"not there yet":        {"absent", rulesStep(map[string][]string{"/etc/docker/daemon.json": {}}), nil, head + "-w /etc/docker/daemon.json -p wa -k docker\n", []string{"/etc/docker/daemon.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if c.before != "absent" {
				r.put(c.before)
			}
			r.kernel.load(t, c.loaded...)
			was, err := readRules(r.h.file())
			must(t, err)
			loaded := r.kernel.paths()
			undo, err := r.do(c.step, "")
			must(t, err)
			if got := r.text(); got != c.file {
				t.Errorf("file:\n%s\nwant:\n%s", got, c.file)
			}
			if got := r.kernel.paths(); !reflect.DeepEqual(got, c.kernel) {
				t.Errorf("kernel: %v, want %v", got, c.kernel)
			}
			must(t, r.h.Commit(t.Context(), c.step, remediate.Record{Undo: undo}))
			for i := range 2 {
				restored, err := r.undo(c.step, undo)
				must(t, err)
				if restored.How != plan.Exact || restored.Nothing != (i == 1) {
					t.Errorf("undo %d: %+v", i+1, restored)
				}
				now, err := readRules(r.h.file())
				if must(t, err); !now.same(was) || !reflect.DeepEqual(r.kernel.paths(), loaded) {
					t.Errorf("after undo %d: file %+v, kernel %v; before: %+v, %v", i+1, now, r.kernel.paths(), was, loaded)
				}
			}
		})
	}
}

// Do is stopped at every point, and the kernel fails at every call: undo brings all back.
func TestUndoFromEveryPoint(t *testing.T) {
	stops := map[string]func(*fakeKernel) string{
		"before the rules file": func(*fakeKernel) string { return "before the rules file" },
		"rules file written":    func(*fakeKernel) string { return "rules file written" },
		"audit rules loaded":    func(*fakeKernel) string { return "audit rules loaded" },
		"no list":               func(k *fakeKernel) string { k.failList = 2; return "" },
		"first rule refused":    func(k *fakeKernel) string { k.failAdd = 1; return "" },
		"second rule refused":   func(k *fakeKernel) string { k.failAdd = 2; return "" },
		"no list afterwards":    func(k *fakeKernel) string { k.failList = 3; return "" },
		"rules not listed":      func(k *fakeKernel) string { k.deaf = true; return "" },
	}
	for name, stop := range stops {
		for _, before := range []string{"absent", "-w /x -p r -k mine\n"} {
			t.Run(name+"/"+strings.Fields(before)[0], func(t *testing.T) {
				r := newRig(t)
				if before != "absent" {
					r.put(before)
				}
				r.kernel.load(t, "/home/")
				undo, err := r.do(usual(), stop(r.kernel))
				if err == nil {
					t.Fatal("it went through")
				}
				for range 2 {
					restored, err := r.undo(usual(), undo)
					must(t, err)
					if restored.How != plan.Exact || r.text() != before || !reflect.DeepEqual(r.kernel.paths(), []string{"/home/"}) {
						t.Errorf("%+v, file %q, kernel %v", restored, r.text(), r.kernel.paths())
					}
				}
			})
		}
	}
}

// An undo that is stopped half way is done again.
func TestUndoTwice(t *testing.T) {
	for _, stop := range []string{"former rules file back", "audit rules gone"} {
		r := newRig(t)
		undo, err := r.do(usual(), "")
		must(t, err)
		r.h.hook = func(at string) error {
			if at == stop {
				return errKernel
			}
			return nil
		}
		if _, err := r.undo(usual(), undo); !errors.Is(err, errKernel) {
			t.Errorf("%s: %v", stop, err)
		}
		r.h.hook = nil
		_, err = r.undo(usual(), undo)
		must(t, err)
		if r.text() != "absent" || len(r.kernel.rules) != 0 {
			t.Errorf("%s: file %q, kernel %v", stop, r.text(), r.kernel.paths())
		}
	}
}

func TestUndoLeavesOthersAlone(t *testing.T) {
	r := newRig(t)
	undo, err := r.h.Prepare(t.Context(), usual())
	must(t, err)
	// Nothing was done, and somebody else then loads the same rule.
	r.kernel.load(t, "/etc/docker/")
	restored, err := r.undo(usual(), undo)
	if must(t, err); !restored.Nothing || len(r.kernel.rules) != 1 {
		t.Errorf("%+v, kernel %v", restored, r.kernel.paths())
	}
	// Between Prepare and Do, too.
	if err := r.h.Do(t.Context(), usual(), undo, &r.notes); !errors.Is(err, plan.ErrStale) || r.text() != "absent" {
		t.Errorf("do: %v, file %q", err, r.text())
	}
	if _, err := r.undo(usual(), undo); err != nil || len(r.kernel.rules) != 1 {
		t.Errorf("undo: %v, kernel %v", err, r.kernel.paths())
	}
}

// After a reboot the kernel has what the files say: the rule of another file is its own.
func TestUndoAfterAReboot(t *testing.T) {
	r := newRig(t)
	step := rulesStep(map[string][]string{"/etc/docker": {"file"}, "/usr/sbin/dockerd": {}})
	undo, err := r.do(step, "")
	must(t, err)
	var u undoRecord
	must(t, json.Unmarshal(undo, &u))
	u.Boot = "an earlier one"
	undo, err = json.Marshal(u)
	must(t, err)
	// The directory was not there when the boot loaded the rules.
	r.kernel.rules = nil
	r.kernel.load(t, "/etc/docker/", "/usr/sbin/dockerd/", "/usr/sbin/dockerd")
	_, err = r.undo(step, undo)
	must(t, err)
	if got := r.kernel.paths(); !reflect.DeepEqual(got, []string{"/etc/docker/"}) || r.text() != "absent" {
		t.Errorf("kernel %v, file %q", got, r.text())
	}
}

// The kernel holds a rule once, whoever has it loaded.
func TestUndoLeavesARuleOfAnotherFile(t *testing.T) {
	r := newRig(t)
	undo, err := r.do(usual(), "")
	must(t, err)
	before := len(r.kernel.rules)
	site := filepath.Join(filepath.Dir(r.h.file()), "site.rules")
	real := filepath.Join(t.TempDir(), "sample") // as distributions link theirs
	must(t, os.WriteFile(real, []byte("-D\n  "+inventory.AuditLine("/etc/docker")+"\n"), 0o640))
	must(t, os.Symlink(real, site))
	must(t, os.Mkdir(filepath.Join(filepath.Dir(site), "odd.rules"), 0o755))
	must(t, os.Symlink("/nowhere", filepath.Join(filepath.Dir(site), "gone.rules")))
	restored, err := r.undo(usual(), undo)
	must(t, err)
	if got := r.kernel.paths(); before != 2 || !reflect.DeepEqual(got, []string{"/etc/docker/"}) || r.text() != "absent" {
		t.Errorf("kernel %v of %d, file %q", got, before, r.text())
	}
	if restored.How != plan.Functional || len(restored.Notes) != 1 || !strings.Contains(restored.Notes[0], "/etc/docker stays") {
		t.Errorf("%+v", restored)
	}
}

// SELinux labels each file that is made: one that was only planned has no label.
func TestSameWithLabels(t *testing.T) {
	label, other := map[string][]byte{"security.selinux": []byte("a")}, map[string][]byte{"security.selinux": []byte("b")}
	planned, written := ruleFile{Exists: true, Data: []byte("x")}, ruleFile{Exists: true, Data: []byte("x"), Xattrs: label}
	if !planned.same(written) || !written.same(planned) || !written.same(written) {
		t.Error("a label alone makes another file of it")
	}
	if written.same(ruleFile{Exists: true, Data: []byte("x"), Xattrs: other}) || planned.same(ruleFile{Exists: true, Data: []byte("x"), Xattrs: map[string][]byte{"user.x": nil}}) {
		t.Error("other attributes are not looked at")
	}
}

func TestUndoRefuses(t *testing.T) {
	r := newRig(t)
	undo, err := r.do(usual(), "")
	must(t, err)
	r.put("-w /etc/docker -p r\n")
	if _, err := r.undo(usual(), undo); !errors.Is(err, remediate.ErrDrifted) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("edited: %v", err)
	}
	if len(r.kernel.rules) != 2 || r.text() != "-w /etc/docker -p r\n" {
		t.Errorf("it changed something: %v, %q", r.kernel.paths(), r.text())
	}
	restored, err := r.h.Undo(t.Context(), usual(), remediate.Record{Undo: undo, Notes: r.notes.all, Force: true})
	if must(t, err); restored.Nothing || r.text() != "absent" || len(r.kernel.rules) != 0 {
		t.Errorf("forced: %+v, %q, %v", restored, r.text(), r.kernel.paths())
	}
}

func TestUndoWhenTheKernelWillNot(t *testing.T) {
	for name, spoil := range map[string]func(*fakeKernel){
		"locked until the next boot": func(k *fakeKernel) { k.enabled = inventory.AuditLocked },
		"still lists":                func(k *fakeKernel) { k.stubborn = true },
	} {
		r := newRig(t)
		undo, err := r.do(usual(), "")
		must(t, err)
		spoil(r.kernel)
		if _, err := r.undo(usual(), undo); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if r.text() != "absent" {
			t.Errorf("%s: the file is still %q", name, r.text())
		}
		r.kernel.enabled, r.kernel.stubborn, r.kernel.rules = inventory.AuditOn, false, nil // the reboot
		restored, err := r.undo(usual(), undo)
		if must(t, err); !restored.Nothing {
			t.Errorf("%s, after a reboot: %+v", name, restored)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	edit := func(do func(*plan.Step)) plan.Step {
		s := usual()
		do(&s)
		return s
	}
	for name, c := range map[string]struct {
		step  plan.Step
		spoil func(*testing.T, *rig)
		is    error
	}{
		"another file":   {edit(func(s *plan.Step) { s.Resource = plan.File("/etc/audit/rules.d/99-x.rules") }), nil, remediate.ErrRefused},
		"a mode":         {edit(func(s *plan.Step) { s.Changes[0].Path = "mode" }), nil, remediate.ErrRefused},
		"another rule":   {edit(func(s *plan.Step) { s.Changes[0].Path = "-a never,task" }), nil, remediate.ErrRefused},
		"two lines":      {edit(func(s *plan.Step) { s.Changes[0].Path = inventory.AuditLine("/x\n-D") }), nil, remediate.ErrRefused},
		"another kind":   {edit(func(s *plan.Step) { s.Changes[0].Kind = plan.KindFile }), nil, remediate.ErrRefused},
		"taken out":      {edit(func(s *plan.Step) { s.Changes[0].To = json.RawMessage(`[]`) }), nil, remediate.ErrRefused},
		"locked":         {usual(), func(_ *testing.T, r *rig) { r.kernel.enabled = inventory.AuditLocked }, remediate.ErrRefused},
		"loaded by now":  {usual(), func(t *testing.T, r *rig) { r.kernel.load(t, "/etc/docker/") }, plan.ErrStale},
		"no list":        {usual(), func(_ *testing.T, r *rig) { r.kernel.failList = 1 }, errKernel},
		"no kernel":      {usual(), func(_ *testing.T, r *rig) { r.h.Kernel = func() (Kernel, error) { return nil, errKernel } }, errKernel},
		"not a file":     {usual(), func(t *testing.T, r *rig) { must(t, os.Mkdir(r.h.file(), 0o755)) }, nil},
		"link to a file": {usual(), func(t *testing.T, r *rig) { must(t, os.Symlink("/etc/passwd", r.h.file())) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if c.spoil != nil {
				c.spoil(t, r)
			}
			loaded := len(r.kernel.rules)
			if _, err := r.h.Prepare(t.Context(), c.step); err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v", err)
			}
			if r.kernel.adds != 0 || len(r.kernel.rules) != loaded {
				t.Error("it changed the kernel's rules")
			}
		})
	}
}

func TestDoRefusesAFileThatMoved(t *testing.T) {
	r := newRig(t)
	undo, err := r.h.Prepare(t.Context(), usual())
	must(t, err)
	r.put("# somebody else\n")
	if err := r.h.Do(t.Context(), usual(), undo, &r.notes); !errors.Is(err, plan.ErrStale) || r.text() != "# somebody else\n" || r.kernel.adds != 0 {
		t.Errorf("%v, file %q", err, r.text())
	}
}

// A write that is killed leaves its temporary file: an undo takes that away too.
func TestUndoOfAKilledWrite(t *testing.T) {
	r := newRig(t)
	step := usual()
	undo, err := r.do(step, "before the rules file")
	if err == nil {
		t.Fatal("it was not stopped")
	}
	left := filepath.Join(filepath.Dir(r.h.file()), "."+filepath.Base(inventory.AuditRulesFile)+".docker-harden-0123456789")
	must(t, os.WriteFile(left, []byte("-w /half"), 0o600))
	restored, err := r.undo(step, undo)
	if must(t, err); restored.How != plan.Exact {
		t.Errorf("%+v", restored)
	}
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}
