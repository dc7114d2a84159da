package audit

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// texts are rules in the kernel's form, comparable.
func texts(t *testing.T) []string {
	t.Helper()
	kernel, err := inventory.ReadKernelAudit()
	must(t, err)
	out := []string{}
	for _, wire := range kernel.Rules {
		out = append(out, string(wire))
	}
	return out
}

// TestKernel does and undoes a step on the kernel of this machine, on paths of its own, and leaves its audit as it was.
// Where the kernel does not speak to this process, which it does in the first pid namespace only, that is what is tested.
func TestKernel(t *testing.T) {
	r := newRig(t)
	r.h.Kernel = nil
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(r.h.Root+dir, 0o755)) // the handler looks below its root
	step := rulesStep(map[string][]string{dir: {}, dir + "/missing": {}})
	before, err := inventory.ReadKernelAudit()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, inventory.ErrNoAudit) {
		t.Logf("the kernel's audit cannot be changed from here (%v): the refusal is tested instead", err)
		if _, err := r.h.Prepare(t.Context(), step); err == nil || r.text() != "absent" {
			t.Errorf("it was prepared: %v", err)
		}
		return
	}
	must(t, err)
	was := texts(t)
	undo, err := r.do(step, "")
	t.Cleanup(func() { // whatever fails below
		kernel, err := Dial()
		must(t, err)
		defer kernel.Close()
		_, err = remove(kernel, []watch{{dir, true}, {dir, false}, {dir + "/missing", true}, {dir + "/missing", false}})
		must(t, err)
	})
	must(t, err)
	now := texts(t)
	added := slices.DeleteFunc(slices.Clone(now), func(rule string) bool { return slices.Contains(was, rule) })
	if len(added) != 2 || len(now) != len(was)+2 {
		t.Fatalf("%d rules before, %d after, %d of them new", len(was), len(now), len(added))
	}
	for i, want := range []inventory.AuditRule{{Path: dir, Dir: true, Access: "wa", Key: "docker"}, {Path: dir + "/missing", Access: "wa", Key: "docker"}} {
		if got, ok := inventory.DecodeAuditRule([]byte(added[i])); !ok || got != want {
			t.Errorf("rule %d is %+v, want %+v", i, got, want)
		}
	}
	if _, err := r.h.Prepare(t.Context(), step); !errors.Is(err, plan.ErrStale) {
		t.Errorf("what is loaded was prepared once more: %v", err)
	}
	for i := range 2 {
		restored, err := r.undo(step, undo)
		if must(t, err); restored.How != plan.Exact || restored.Nothing != (i == 1) {
			t.Errorf("undo %d: %+v", i+1, restored)
		}
	}
	after, err := inventory.ReadKernelAudit()
	if must(t, err); !reflect.DeepEqual(after, before) {
		t.Errorf("the kernel's audit was %+v and is %+v", before, after)
	}
}

// The kernel refuses a rule for a name in a directory that is not there; nothing of the step stays.
func TestKernelRefuses(t *testing.T) {
	kernel, err := Dial()
	if errors.Is(err, inventory.ErrNoAudit) {
		t.Logf("there is nothing to refuse: %v", err)
		return
	}
	must(t, err)
	defer kernel.Close()
	if _, err := kernel.Enabled(); err != nil {
		if !strings.Contains(err.Error(), "cannot read the state of the kernel's audit") {
			t.Errorf("got %v", err)
		}
		t.Logf("the kernel's audit cannot be changed from here: %v", err)
		return
	}
	was := texts(t)
	missing := t.TempDir() + "/no/such"
	if err := add(kernel, []watch{{missing, false}}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
	if now := texts(t); !reflect.DeepEqual(now, was) {
		t.Errorf("%d rules, and then %d", len(was), len(now))
	}
}
