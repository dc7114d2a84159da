package docker

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultCapsAreTheEngines(t *testing.T) {
	if got := capMask(defaultCaps); got != 0xa80425fb {
		t.Errorf("default bounding set %x, the engine gives a80425fb", got)
	}
	if got := capsOf(1<<10 | 1<<40); !slices.Equal(got, []string{"NET_BIND_SERVICE", "CHECKPOINT_RESTORE"}) {
		t.Errorf("bits 10 and 40 are %v", got)
	}
}

func TestEveryAddedCapabilityIsExplained(t *testing.T) {
	for _, name := range append(without(capNames, defaultCaps), allCaps) {
		if capAllows[name] == "" {
			t.Errorf("what %s allows is not said", name)
		}
	}
	for program, names := range capUsers {
		if rest := without(names, levelOne); len(rest) > 0 {
			t.Errorf("%s needs %v, which level 1 does not drop", program, rest)
		}
	}
}

func TestConfiguredCaps(t *testing.T) {
	for name, c := range map[string]struct{ add, drop, want []string }{
		"default":           {nil, nil, defaultCaps},
		"spelling":          {[]string{"cap_net_admin"}, []string{"all"}, []string{"NET_ADMIN"}},
		"all but":           {[]string{"ALL"}, without(capNames, []string{"CHOWN"}), []string{"CHOWN"}},
		"added wins":        {[]string{"CHOWN"}, defaultCaps, []string{"CHOWN"}},
		"added twice":       {[]string{"CHOWN", "CAP_CHOWN"}, []string{"ALL"}, []string{"CHOWN"}},
		"both all":          {[]string{"ALL"}, []string{"ALL"}, capNames},
		"nothing":           {nil, []string{"ALL"}, []string{}},
		"dropping the rest": {nil, without(defaultCaps, []string{"KILL"}), []string{"KILL"}},
	} {
		if got := configuredCaps(c.add, c.drop); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.want))) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWriteCaps(t *testing.T) {
	less := without(defaultCaps, levelOne)
	for name, c := range map[string]struct {
		add, drop, wanted []string
		want              capPlan
	}{
		"nothing set":            {nil, nil, less, capPlan{nil, []string{"MKNOD", "NET_RAW", "SETFCAP", "AUDIT_WRITE"}}},
		"empty lists stay empty": {[]string{}, []string{}, less, capPlan{[]string{}, []string{"MKNOD", "NET_RAW", "SETFCAP", "AUDIT_WRITE"}}},
		"everything":             {[]string{"NET_ADMIN"}, []string{"mknod"}, nil, capPlan{[]string{}, []string{"ALL"}}},
		"as it was spelled":      {nil, []string{"CAP_KILL"}, without(less, []string{"KILL"}), capPlan{nil, []string{"CAP_KILL", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_AUDIT_WRITE"}}},
		"dropped and added again": {
			[]string{"KILL", "MKNOD"},
			[]string{"KILL", "NET_RAW", "SYS_TIME"},
			less,
			capPlan{[]string{}, []string{"NET_RAW", "SYS_TIME", "MKNOD", "SETFCAP", "AUDIT_WRITE"}},
		},
		"added more": {[]string{"net_raw", "net_admin"}, nil, append(slices.Clone(less), "NET_ADMIN"), capPlan{[]string{"net_admin"}, []string{"MKNOD", "NET_RAW", "SETFCAP", "AUDIT_WRITE"}}},
		"all but":    {[]string{"CHOWN", "NET_RAW"}, []string{"ALL"}, []string{"CHOWN"}, capPlan{[]string{"CHOWN"}, []string{"ALL"}}},
	} {
		if diff := cmp.Diff(c.want, writeCaps(c.add, c.drop, c.wanted)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestWriteCapsGivesExactlyTheWanted tries many settings: what is written gives the wanted set, as
// the engine computes it, and CapAdd is empty wherever the engine's default suffices.
func TestWriteCapsGivesExactlyTheWanted(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	pick := func(n int) []string {
		var out []string
		for range rnd.IntN(n) {
			name := append(capNames, allCaps)[rnd.IntN(42)]
			switch rnd.IntN(3) {
			case 0:
				name = strings.ToLower(name)
			case 1:
				if name != allCaps {
					name = "CAP_" + name
				}
			}
			out = append(out, name)
		}
		return out
	}
	for range 5000 {
		add, drop := pick(6), pick(6)
		have := configuredCaps(add, drop)
		wanted := slices.DeleteFunc(slices.Clone(have), func(string) bool { return rnd.IntN(3) == 0 })
		got := writeCaps(add, drop, wanted)
		if set := configuredCaps(got.Add, got.Drop); capMask(set) != capMask(wanted) {
			t.Fatalf("add %v drop %v, wanted %v: wrote %+v, which gives %v", add, drop, wanted, got, set)
		}
		all := slices.Contains(capList(drop), allCaps) || slices.Contains(capList(add), allCaps)
		if !all && len(without(wanted, defaultCaps)) == 0 && len(got.Add) > 0 {
			t.Fatalf("add %v drop %v, wanted %v: wrote %+v, CapAdd could be empty", add, drop, wanted, got)
		}
	}
}
