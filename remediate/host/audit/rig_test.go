package audit

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fakeKernel is a list of rules that fails as it is told.
type fakeKernel struct {
	enabled int
	rules   [][]byte
	// failAdd is the number of the Add that fails, from 1; failList that of the list that cannot be read.
	failAdd, failList int
	adds, lists       int
	deaf, stubborn    bool // takes rules and does not list them; takes none out
}

var errKernel = errors.New("the kernel says no")

func (k *fakeKernel) Enabled() (int, error) { return k.enabled, nil }
func (k *fakeKernel) Close() error          { return nil }

func (k *fakeKernel) Rules() ([][]byte, error) {
	if k.lists++; k.lists == k.failList {
		return nil, errKernel
	}
	return slices.Clone(k.rules), nil
}

func (k *fakeKernel) Add(wire []byte) error {
	if k.adds++; k.adds == k.failAdd {
		return errKernel
	}
	if k.enabled == inventory.AuditLocked {
		return errKernel
	}
	if !k.deaf {
		k.rules = append(k.rules, wire)
	}
	return nil
}

func (k *fakeKernel) Delete(wire []byte) error {
	if k.enabled == inventory.AuditLocked {
		return errKernel
	}
	if !k.stubborn {
		k.rules = slices.DeleteFunc(k.rules, func(have []byte) bool { return string(have) == string(wire) })
	}
	return nil
}

// paths are the rules of the kernel for people.
func (k *fakeKernel) paths() []string {
	out := []string{}
	for _, wire := range k.rules {
		r, _ := inventory.DecodeAuditRule(wire)
		if r.Dir {
			r.Path += "/"
		}
		out = append(out, r.Path)
	}
	return out
}

// load puts rules into the kernel as somebody else would; a slash at the end is a directory with all in it.
func (k *fakeKernel) load(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		dir := p[len(p)-1] == '/'
		wire, err := watch{filepath.Clean(p), dir}.wire()
		must(t, err)
		k.rules = append(k.rules, wire)
	}
}

// notes keeps what a step notes.
type notes struct{ all []json.RawMessage }

func (n *notes) Note(v any) error {
	raw, err := json.Marshal(v)
	n.all = append(n.all, raw)
	return err
}

func (n *notes) Progress(string) {}

// rig is a host of files and a fake kernel.
type rig struct {
	t      *testing.T
	kernel *fakeKernel
	h      *Handler
	notes  notes
}

// newRig makes a host with the audit's directory, /etc/docker and the engine's program.
func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test must run as root, as make test does")
	}
	root, kernel := t.TempDir(), &fakeKernel{enabled: inventory.AuditOn}
	for _, dir := range []string{"/etc/audit/rules.d", "/etc/docker", "/usr/sbin"} {
		must(t, os.MkdirAll(root+dir, 0o755))
	}
	must(t, os.WriteFile(root+"/usr/sbin/dockerd", nil, 0o755))
	return &rig{t: t, kernel: kernel, h: &Handler{Root: root, Kernel: func() (Kernel, error) { return kernel, nil }}}
}

// put writes the rules file as somebody else would.
func (r *rig) put(text string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.h.file(), []byte(text), 0o600))
	must(r.t, os.Chown(r.h.file(), 7, 8))
}

func (r *rig) text() string {
	data, err := os.ReadFile(r.h.file())
	if errors.Is(err, os.ErrNotExist) {
		return "absent"
	}
	must(r.t, err)
	return string(data)
}

// do prepares and does a step; stop is the point at which it is stopped.
func (r *rig) do(step plan.Step, stop string) (undo json.RawMessage, err error) {
	undo, err = r.h.Prepare(r.t.Context(), step)
	if err != nil {
		return nil, err
	}
	r.h.hook = func(at string) error {
		if at == stop {
			return errKernel
		}
		return nil
	}
	defer func() { r.h.hook = nil }()
	return undo, r.h.Do(r.t.Context(), step, undo, &r.notes)
}

func (r *rig) undo(step plan.Step, undo json.RawMessage) (remediate.Restored, error) {
	return r.h.Undo(r.t.Context(), step, remediate.Record{Undo: undo, Notes: r.notes.all})
}

// rulesStep plans rules for paths; where says where each is.
func rulesStep(paths map[string][]string) plan.Step {
	file := plan.File(inventory.AuditRulesFile)
	s := plan.Step{ID: file.String(), Kind: plan.KindAudit, Resource: file}
	names := []string{}
	for p := range paths {
		names = append(names, p)
	}
	slices.Sort(names)
	for _, p := range names {
		from, _ := json.Marshal(paths[p])
		s.Changes = append(s.Changes, plan.Change{
			Path: inventory.AuditLine(p), From: from, To: json.RawMessage(`["file","kernel"]`), Kind: plan.KindAudit, Reversibility: plan.Exact,
		})
	}
	return s
}

// usual is a directory and a program, watched nowhere.
func usual() plan.Step {
	return rulesStep(map[string][]string{"/etc/docker": {}, "/usr/sbin/dockerd": {}})
}
