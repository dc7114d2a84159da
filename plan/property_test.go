package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"docker-harden/plan"
)

// seed of the generated findings: printed with a failure, and always the same, so that it can be repeated.
const seed = 20261128

// some findings, as controls could make them: they may agree, add to the same lists, and change
// the same setting in the same way.
func some(r *rand.Rand) []plan.Finding {
	type wish struct {
		path, from string
		to         []string // one of these, for all controls alike; lists are merged and may differ
		list       bool
		kind       plan.Kind
	}
	wishes := map[plan.ResourceKind][]wish{
		plan.ResourceDaemon: {
			{"log-level", `"debug"`, []string{`"info"`}, false, plan.KindReload},
			{"icc", "null", []string{"false"}, false, plan.KindRestart},
			{"insecure-registries", `["a","b"]`, []string{`["a"]`, `["b"]`, `[]`}, true, plan.KindReload},
		},
		plan.ResourceContainer: {
			{"HostConfig.Memory", "0", []string{"1048576"}, false, plan.KindUpdate},
			{"HostConfig.CapDrop", "null", []string{`["NET_RAW"]`, `["MKNOD","NET_RAW"]`, `["SETFCAP"]`}, true, plan.KindRecreate},
			{"HostConfig.SecurityOpt", `["label=a"]`, []string{`["label=a","no-new-privileges:true"]`, `[]`}, true, plan.KindRecreate},
		},
		plan.ResourceFile: {{"mode", `"0666"`, []string{`"0644"`}, false, plan.KindFile}},
	}
	resources := []plan.Resource{plan.Daemon(), plan.File("/etc/docker/daemon.json")}
	for i := range r.IntN(5) {
		resources = append(resources, plan.Container(fmt.Sprintf("c%d", i), fmt.Sprintf("id%d", i)))
	}
	var out []plan.Finding
	for i := range r.IntN(20) {
		resource := resources[r.IntN(len(resources))]
		f := plan.Finding{
			Control: fmt.Sprintf("control%d", i), Resource: resource, Message: "m", Downtime: float64(r.IntN(3)),
			Status: []plan.Status{plan.Fail, plan.Fail, plan.Fail, plan.Pass, plan.Manual, plan.Unknown}[r.IntN(6)],
			Risk:   plan.Risk{Level: []plan.RiskLevel{"", plan.RiskLow, plan.RiskMedium, plan.RiskHigh}[r.IntN(4)]},
		}
		for _, w := range wishes[resource.Kind] {
			if r.IntN(2) == 0 {
				continue
			}
			f.Changes = append(f.Changes, change(w.path, w.from, w.to[r.IntN(len(w.to))], w.kind))
		}
		out = append(out, f)
	}
	return out
}

// settings is what steps come to, without the order in which controls asked for it: a list counts as a set.
func settings(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, fmt.Sprint(s.Kind, s.ID, s.After, s.Effect, s.Risk.Level, s.Controls, s.Sees))
		for _, c := range s.Changes {
			var list []string
			to := compact(t, c.To)
			if json.Unmarshal(c.To, &list) == nil {
				slices.Sort(list)
				to = fmt.Sprint(list)
			}
			controls := slices.Sorted(slices.Values(c.Controls))
			lines = append(lines, fmt.Sprint("  ", c.Path, compact(t, c.From), to, c.Kind, controls))
		}
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

// compact is a value without the space that a plan file has in it.
func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil && len(raw) > 0 {
		t.Fatal(err)
	}
	return out.String()
}

func built(t *testing.T, findings []plan.Finding) *plan.Plan {
	t.Helper()
	p, err := plan.Build(input(findings...))
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return p
}

// The order in which controls are evaluated decides nothing; the same findings give the same bytes; and what a plan
// file is read as is what was written.
func TestBuildProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, seed))
	steps := 0
	for range 500 {
		findings := some(r)
		p := built(t, slices.Clone(findings))
		steps += len(p.Steps)
		data, sum, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		twin, _, err := plan.Encode(built(t, slices.Clone(findings)))
		if err != nil || !bytes.Equal(data, twin) {
			t.Fatalf("seed %d: the same findings give another plan", seed)
		}
		shuffled := slices.Clone(findings)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if a, b := settings(t, p), settings(t, built(t, shuffled)); a != b {
			t.Fatalf("seed %d: in another order the findings give\n%s\ninstead of\n%s", seed, b, a)
		}
		doubled := slices.Concat(findings, findings)
		if a, b := settings(t, p), settings(t, built(t, doubled)); a != b {
			t.Fatalf("seed %d: findings told twice give\n%s\ninstead of\n%s", seed, b, a)
		}
		read, sumRead, err := plan.Decode(data)
		if err != nil || sumRead != sum || settings(t, read) != settings(t, p) {
			t.Fatalf("seed %d: the file is read as\n%s\ninstead of\n%s%v", seed, read, p, err)
		}
		obeys(t, p, findings)
	}
	if steps < 500 {
		t.Errorf("%d steps in 500 plans: the generator makes too little", steps)
	}
}

// obeys checks what holds for every plan: one step a resource that fails with changes, engine first, nothing invented.
func obeys(t *testing.T, p *plan.Plan, findings []plan.Finding) {
	t.Helper()
	want := map[plan.Resource]bool{}
	for _, f := range findings {
		if f.Status == plan.Fail && len(f.Changes) > 0 {
			want[f.Resource] = true
		}
	}
	for i, s := range p.Steps {
		if !want[s.Resource] {
			t.Errorf("seed %d: %s is planned and nobody asked", seed, s.ID)
		}
		delete(want, s.Resource)
		if s.Resource.Kind == plan.ResourceDaemon && i != 0 {
			t.Errorf("seed %d: the engine comes after %s", seed, p.Steps[0].ID)
		}
	}
	if len(want) > 0 {
		t.Errorf("seed %d: nothing is planned for %v", seed, want)
	}
	for i := range p.Findings {
		if f := p.Findings[i]; f.Status != findings[i].Status || f.Control != findings[i].Control {
			t.Errorf("seed %d: finding %d was changed", seed, i)
		}
	}
}

// FuzzSteps gives a plan any body under a digest that fits: whatever is accepted can be applied or refused
// without a crash, and is read the same way when it is written again.
func FuzzSteps(f *testing.F) {
	p, err := plan.Build(input(
		fail("docker/log-level", plan.Daemon(), change("log-level", "null", `"info"`, plan.KindRestart)),
		fail("nnp", web, change("HostConfig.CapDrop", "null", `["NET_RAW"]`, plan.KindRecreate)),
		fail("mode", plan.File("/etc/docker/daemon.json"), change("mode", `"0666"`, `"0644"`, plan.KindFile)),
	))
	if err != nil {
		f.Fatal(err)
	}
	body, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"format":"docker-harden/plan/v1","steps":[{"id":"host/etc/shadow"}]}`))
	f.Add(bytes.Replace(body, []byte("/etc/docker/daemon.json"), []byte("/etc/../etc/shadow"), -1))
	f.Add(bytes.Replace(body, []byte(`"web"`), []byte("\"w\x1b[2Jeb\""), -1))
	f.Fuzz(func(t *testing.T, body []byte) {
		file := fmt.Appendf(nil, "{\"sha256\":%q,\"plan\":%s}", plan.Digest(body), body)
		p, _, err := plan.Decode(file)
		if err != nil {
			return
		}
		_ = p.Applicable(made)
		data, _, err := plan.Encode(p)
		if err != nil {
			t.Fatalf("accepted and cannot be written: %v", err)
		}
		again, _, err := plan.Decode(data)
		if err != nil || settings(t, again) != settings(t, p) {
			t.Fatalf("%q is read as %s and then as %s, %v", body, p, again, err)
		}
		for _, s := range p.Steps {
			if s.Resource.String() != s.ID || s.Kind.Symbol() == "?" {
				t.Fatalf("step %q of kind %q for %s", s.ID, s.Kind, s.Resource)
			}
			s.Reversibility()
		}
	})
}
