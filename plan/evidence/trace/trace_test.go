package trace

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

func TestContainerOf(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for want, names := range map[string][]string{
		id: {"docker-" + id + ".scope", "system.slice", ""}, "": {"web", "system.slice"},
	} {
		if got := containerOf(names); got != want {
			t.Errorf("%q: %q", names, got)
		}
	}
	outer := strings.Repeat("b", 64)
	nested := Group{Container: id, Names: []string{id, "docker", "docker-" + outer + ".scope"}}
	if !nested.In(id) || !nested.In(outer) || nested.In("") || nested.In("docker") || nested.In(strings.Repeat("c", 64)) {
		t.Errorf("a container in a container: %+v", nested)
	}
	if got := containerOf([]string{"init.scope", id, "docker"}); got != id {
		t.Errorf("of a group below a container's: %q", got)
	}
	if got := containerOf([]string{id + "0", "x" + id}); got != "" {
		t.Errorf("of a name that only holds an id: %q", got)
	}
}

func TestDecode(t *testing.T) {
	key := make([]byte, checkKey)
	binary.NativeEndian.PutUint64(key, 7)
	binary.NativeEndian.PutUint32(key[8:], 49)
	binary.NativeEndian.PutUint32(key[12:], 33)
	key[16], key[17], key[18], key[19] = 10, 1, 2, 1
	copy(key[24:], "nginx\x00rest")
	if got, want := decodeCheck(key), (Check{Group: Group{ID: 7}, Call: 49, EUID: 33, Capability: 10, Denied: true, NoAudit: true, Borrowed: true, Comm: "nginx"}); got.Comm != want.Comm ||
		got.Call != want.Call || got.EUID != want.EUID || got.Capability != want.Capability || !got.Denied || !got.NoAudit || !got.Borrowed || got.Group.ID != 7 {
		t.Errorf("%+v, want %+v", got, want)
	}
	key = make([]byte, execKey)
	binary.NativeEndian.PutUint32(key[8:], 1000)
	key[16] = 1
	copy(key[24:], "/bin/su")
	if got := decodeExec(key); got.UID != 1000 || got.EUID != 0 || !got.Gained || got.Path != "/bin/su" {
		t.Errorf("%+v", got)
	}
}

// Every field that the programs read is in this kernel's type information, and a name that is not there is said.
func TestLayout(t *testing.T) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatalf("no type information: %v", err)
	}
	if _, err := readLayout(spec); err != nil {
		t.Fatal(err)
	}
	f := finder{spec: spec}
	f.at("task_struct", "no_such_field")
	f.at("no_such_struct", "field")
	f.value("cgroup_subsys_id", "no_such_controller")
	for _, want := range []string{"no_such_field", "no_such_struct", "no_such_controller"} {
		if f.err == nil || !strings.Contains(f.err.Error(), want) {
			t.Errorf("not said: %s (%v)", want, f.err)
		}
	}
}

// together fails unless every jump of a program has one place to go to and its stack is within the kernel's bounds.
func together(t *testing.T, name string, e *emitter, ins asm.Instructions) {
	t.Helper()
	var labels []string
	for _, i := range ins {
		if label := i.Symbol(); label != "" {
			if slices.Contains(labels, label) {
				t.Errorf("%s: %s is there twice", name, label)
			}
			labels = append(labels, label)
		}
	}
	for _, i := range ins {
		if to := i.Reference(); to != "" && !slices.Contains(labels, to) {
			t.Errorf("%s: nothing is labelled %s", name, to)
		}
	}
	if e.label != "" || e.list() < -512 {
		t.Errorf("%s: a label of nothing, or %d bytes of stack", name, -e.list())
	}
}

// The programs of every hook are put together, labels and all, whether this kernel would take them or not.
func TestPrograms(t *testing.T) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	l, err := readLayout(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks(l) {
		e := &emitter{layout: l, direct: h.direct, counts: 3, names: 4, lost: 5}
		together(t, h.name, e, e.checks(h.places))
		if h.direct {
			e := &emitter{layout: l, direct: true, counts: 3, names: 4, lost: 5, slots: 6}
			together(t, h.name+", with slots", e, e.checks(h.places))
		}
		if h.demand != nil {
			e := &emitter{layout: l, direct: h.direct, counts: 3, names: 4, lost: 5}
			together(t, h.name+", capset", e, e.capset(h.demand))
		}
	}
	if e := (&emitter{layout: l, key: execKey}); e.list() < -512 {
		t.Errorf("executions need %d bytes of stack", -e.list())
	}
}

// hookVariable names the hook that has to be used, for kernels that have several.
const hookVariable = "TRACE_TEST_HOOK"

// One check and one execution outside of this mount namespace are counted with what they were, and nothing is left
// behind by Close.
func TestCounts(t *testing.T) {
	wanted := os.Getenv(hookVariable)
	r, err := start(wanted)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // closed below
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, err := exec.CommandContext(t.Context(), "unshare", "-m", "chown", "1000", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "-m", "setpriv", "--inh-caps", "-all", "true").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	counts, err := r.Counts()
	if err != nil {
		t.Fatal(err)
	}
	const chown, fchownat = 0, 260
	if !slices.ContainsFunc(counts.Checks, func(c Check) bool {
		return c.Capability == setpcap && c.Call == capsetCall && c.Comm == "setpriv" && !c.Denied && c.Wanted&1 != 0
	}) {
		t.Errorf("what setpriv asks capset for is not among %+v", counts.Checks)
	}
	if !slices.ContainsFunc(counts.Checks, func(c Check) bool {
		return c.Capability == chown && c.Call == fchownat && c.Comm == "chown" && !c.Denied && c.EUID == 0 &&
			c.First.After(began.Add(-time.Second)) && !c.Last.After(time.Now().Add(time.Second))
	}) {
		t.Errorf("chown is not among %+v", counts.Checks)
	}
	if !slices.ContainsFunc(counts.Execs, func(e Exec) bool { return strings.HasSuffix(e.Path, "/chown") && e.Count == 1 && !e.Gained }) {
		t.Errorf("chown is not among %+v", counts.Execs)
	}
	if counts.Lost != 0 || !strings.HasSuffix(r.Hook(), "cap_capable") || wanted != "" && r.Hook() != wanted {
		t.Errorf("lost %d at %s", counts.Lost, r.Hook())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// Without the kernel's consent it is said of every way why it is none.
func TestUnsupported(t *testing.T) {
	err := error(&UnsupportedError{Reasons: []error{errors.New("tp_btf: no such tracepoint"), errors.New("kprobe: denied\nverifier says: page after page")}})
	if got := err.Error(); !strings.Contains(got, "no such tracepoint; kprobe: denied") || strings.Contains(got, "page after page") {
		t.Errorf("said %q", got)
	}
}
