package inventory

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const id64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// status is a /proc/PID/status with the lines that matter.
func status(pid int, uid, caps, nnp string) string {
	return fmt.Sprintf("Name:\tp%d\nState:\tS (sleeping)\nPid:\t%d\nUid:\t0\t%s\t0\t0\nNSpid:\t%d\nCapInh:\t0000000000000000\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t%s\nSeccomp:\t2\n", pid, pid, uid, pid, caps, caps, nnp)
}

// recorded is a host with a container of two processes, 100 and 101, of which the second sits in a
// group below the container's; mounts and group say how control groups are laid out.
func recorded(t *testing.T, mounts, group string, files map[string]string) hostRoot {
	t.Helper()
	all := map[string]string{
		"/proc/1/mountinfo":   mounts,
		"/proc/100/status":    status(100, "0", "00000000a80425fb", "0"),
		"/proc/101/status":    status(101, "1000", "0000000000000000", "1"),
		"/proc/100/cgroup":    group,
		"/proc/100/mountinfo": "20 10 0:50 / / ro,relatime - overlay overlay rw,lowerdir=/l,upperdir=/var/lib/docker/overlay2/x/diff,workdir=/w\n",
		"/proc/100/exe":       "-> ../../app", "/proc/101/exe": "-> ../../gone (deleted)", "/app": "#!", "/proc/100/attr/current": "docker-default (enforce)\n",
	}
	for _, ns := range namespaces {
		all["/proc/1/ns/"+ns] = "-> " + ns + ":[1]"
		all["/proc/100/ns/"+ns] = "-> " + ns + ":[2]"
	}
	all["/proc/100/ns/user"], all["/proc/100/ns/net"] = "-> user:[1]", "-> net:[1]"
	maps.Copy(all, files)
	return tree(t, all)
}

const (
	v2Mounts = "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	v2Group  = "0::/system.slice/docker-" + id64 + ".scope/init\n"
	v2Dir    = "/sys/fs/cgroup/system.slice/docker-" + id64 + ".scope"
	v1Mounts = `29 20 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw
30 29 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 29 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
	v1Group = "5:memory:/docker/" + id64 + "\n4:cpu,cpuacct:/docker/" + id64 + "\n3:pids:/docker/" + id64 + "\n0::/system.slice/containerd.service\n"
	v1Path  = "/docker/" + id64
)

func TestReadProc(t *testing.T) {
	for _, tc := range []struct {
		name, mounts, group string
		files               map[string]string
		memory, pids, cpu   int64
	}{
		{"v2", v2Mounts, v2Group, map[string]string{
			v2Dir + "/cgroup.procs": "", v2Dir + "/init/cgroup.procs": "100\n", v2Dir + "/work/cgroup.procs": "101\n102\n",
			v2Dir + "/memory.max": "268435456\n", v2Dir + "/pids.max": "max\n", v2Dir + "/cpu.weight": "39\n",
		}, 268435456, -1, 1024},
		{"v1", v1Mounts, v1Group, map[string]string{
			"/sys/fs/cgroup/pids" + v1Path + "/cgroup.procs": "100\n101\n", "/sys/fs/cgroup/pids" + v1Path + "/pids.max": "50\n",
			"/sys/fs/cgroup/memory" + v1Path + "/memory.limit_in_bytes": "9223372036854771712\n", "/sys/fs/cgroup/cpu,cpuacct" + v1Path + "/cpu.shares": "512\n",
		}, -1, 50, 512},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := recorded(t, tc.mounts, tc.group, tc.files)
			if err := os.Chmod(root.join("/app"), 0o755|os.ModeSetuid); err != nil {
				t.Fatal(err)
			}
			proc, err := ReadProc(string(root), 100)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(proc.SharedNamespaces, " "); got != "net user" {
				t.Errorf("shared namespaces %q", got)
			}
			if !proc.ReadOnlyRoot || proc.AppArmor != "docker-default (enforce)" {
				t.Errorf("read-only %v, AppArmor %q", proc.ReadOnlyRoot, proc.AppArmor)
			}
			if proc.MemoryLimit == nil || *proc.MemoryLimit != tc.memory || proc.PidsLimit == nil || *proc.PidsLimit != tc.pids || proc.CPUShares == nil || *proc.CPUShares != tc.cpu {
				t.Errorf("limits %v %v %v", proc.MemoryLimit, proc.PidsLimit, proc.CPUShares)
			}
			want := []Process{
				{PID: 100, Name: "p100", Seccomp: 2, CapEff: 0xa80425fb, CapPrm: 0xa80425fb, CapBnd: 0xa80425fb, Exe: "../../app", Setuid: true},
				{PID: 101, Name: "p101", UID: 1000, NoNewPrivs: true, Seccomp: 2, CapBnd: 0xa80425fb, Exe: "../../gone", ExeProblem: "no such file or directory"},
			}
			if diff := cmp.Diff(want, proc.All); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(want[0], proc.Init); diff != "" {
				t.Errorf("first process: -want +got:\n%s", diff)
			}
		})
	}
}

// The limits of swap are read as the engine counts them: with memory. What is not known is no limit and none either.
func TestMemorySwapLimit(t *testing.T) {
	const v1Memory = "/sys/fs/cgroup/memory" + v1Path
	n := func(v int64) *int64 { return &v }
	for name, tc := range map[string]struct {
		mounts, group string
		files         map[string]string
		want          *int64
	}{
		"v2, none":            {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.max": "268435456\n", v2Dir + "/memory.swap.max": "0\n"}, n(268435456)},
		"v2, as much again":   {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.max": "268435456\n", v2Dir + "/memory.swap.max": "268435456\n"}, n(536870912)},
		"v2, lifted":          {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.max": "268435456\n", v2Dir + "/memory.swap.max": "max\n"}, n(-1)},
		"v2, only swap":       {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.max": "max\n", v2Dir + "/memory.swap.max": "0\n"}, n(-1)},
		"v2, too large":       {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.max": "9223372036854771712\n", v2Dir + "/memory.swap.max": "9223372036854771712\n"}, n(-1)},
		"v2, no account":      {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.max": "268435456\n"}, nil},
		"v2, memory not read": {v2Mounts, v2Group, map[string]string{v2Dir + "/memory.swap.max": "0\n"}, nil},
		"v1":                  {v1Mounts, v1Group, map[string]string{v1Memory + "/memory.limit_in_bytes": "268435456\n", v1Memory + "/memory.memsw.limit_in_bytes": "268435456\n"}, n(268435456)},
		"v1, lifted":          {v1Mounts, v1Group, map[string]string{v1Memory + "/memory.limit_in_bytes": "268435456\n", v1Memory + "/memory.memsw.limit_in_bytes": "9223372036854771712\n"}, n(-1)},
		"v1, no account":      {v1Mounts, v1Group, map[string]string{v1Memory + "/memory.limit_in_bytes": "268435456\n"}, nil},
	} {
		tc.files["/sys/fs/cgroup/pids"+v1Path+"/cgroup.procs"] = "100\n"
		tc.files[v2Dir+"/cgroup.procs"] = "100\n"
		proc, err := ReadProc(string(recorded(t, tc.mounts, tc.group, tc.files)), 100)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, proc.MemorySwapLimit); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestReadProcProblems(t *testing.T) {
	for _, tc := range []struct {
		name, mounts, group string
		files               map[string]string
		pid                 int
		want                string
	}{
		{name: "no such process", mounts: v2Mounts, group: v2Group, pid: 7, want: "cannot read process 7: no such file or directory"},
		{name: "the host's own group", mounts: v2Mounts, group: "0::/\n", pid: 100, want: "no control group of its own"},
		{name: "group outside the mount", mounts: "30 20 0:26 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", group: v2Group, pid: 100, want: "is not below /other"},
		{name: "no cgroups", mounts: "", group: v2Group, pid: 100, want: "no control group of its own"},
		{name: "garbage", mounts: v2Mounts, group: v2Group, pid: 100, files: map[string]string{"/proc/100/status": "Name:\tx\n"}, want: "cannot read process status"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ReadProc(string(recorded(t, tc.mounts, tc.group, tc.files)), tc.pid)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestHierarchiesHiddenByLaterMounts(t *testing.T) {
	root := tree(t, map[string]string{"/proc/1/mountinfo": "1 0 0:1 /.. /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n2 0 0:2 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n3 2 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n4 2 0:1 / /mnt/copy rw - cgroup cgroup rw,memory\n5 2 0:9 / / rw - ext4 x rw\n"})
	got, err := root.hierarchies()
	if err != nil || got["memory"] != (hierarchy{"/", "/sys/fs/cgroup/memory"}) {
		t.Errorf("%v %v", got, err)
	}
}

func TestParseStat(t *testing.T) {
	p, err := parseStat([]byte("42 (a) b) (c) R 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 1 18446744073709551615\n"))
	if err != nil || p.pid != 42 || p.name != "a) b) (c" || p.parent != 7 || p.state != 'R' || p.start != 12345 {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []string{"", "42", "42 (x) S 1", "x (y) S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 12345 1"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestParseMounts(t *testing.T) {
	mounts := parseMounts([]byte("1 0 0:1 / / rw shared:1 - ext4 /dev/vda rw\nnonsense\n2 1 0:2 /a\\040b /mnt/x\\134y ro,nosuid - overlay overlay rw,upperdir=/u\\072x,workdir=/w\n3 1 0:3 / / rw - tmpfs tmpfs ro\n"))
	if len(mounts) != 3 || mounts[1].root != "/a b" || mounts[1].point != `/mnt/x\y` || mounts[1].upper() != "/u:x" || !mounts[1].readOnly() {
		t.Errorf("%+v", mounts)
	}
	if top, ok := rootMount(mounts); !ok || top.kind != "tmpfs" || !top.readOnly() || top.upper() != "" {
		t.Errorf("%+v", top)
	}
	if _, ok := rootMount(mounts[1:2]); ok {
		t.Error("found a root mount where there is none")
	}
}

func TestSharesOf(t *testing.T) {
	for weight, want := range map[int64]int64{1: 28, 39: 1024, 100: 1024, 10000: 262144} {
		if got := sharesOf(&weight); got == nil || *got != want {
			t.Errorf("sharesOf(%d) = %d, want %d", weight, *got, want)
		}
	}
	if sharesOf(nil) != nil {
		t.Error("an unknown weight became known")
	}
}

func TestMeter(t *testing.T) {
	v1 := recorded(t, v1Mounts, v1Group, map[string]string{
		"/sys/fs/cgroup/memory" + v1Path + "/memory.usage_in_bytes":     "1000\n",
		"/sys/fs/cgroup/memory" + v1Path + "/memory.max_usage_in_bytes": "5000\n",
		"/sys/fs/cgroup/memory" + v1Path + "/memory.stat":               "rss 1\ntotal_inactive_file 300\ntotal_rss 200\ntotal_shmem 50\ntotal_swap 700\n",
		"/sys/fs/cgroup/memory" + v1Path + "/memory.oom_control":        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
		"/sys/fs/cgroup/pids" + v1Path + "/pids.current":                "4\n",
		"/sys/fs/cgroup/pids" + v1Path + "/pids.peak":                   "41\n",
	})
	v2 := recorded(t, v2Mounts, v2Group, map[string]string{
		v2Dir + "/memory.current": "1000\n", v2Dir + "/memory.peak": "5000\n", v2Dir + "/pids.current": "4\n", v2Dir + "/pids.peak": "41\n",
		v2Dir + "/memory.stat":         "anon 100\nshmem 50\nslab_unreclaimable 60\nkernel_stack 30\npagetables 10\ninactive_file 300\n",
		v2Dir + "/memory.swap.current": "700\n",
		v2Dir + "/memory.events":       "low 0\noom 5\noom_kill 3\n",
	})
	for name, root := range map[string]hostRoot{"v1": v1, "v2": v2} {
		t.Run(name, func(t *testing.T) {
			r := procReader{root: root}
			if err := r.prepare(0); err != nil {
				t.Fatal(err)
			}
			groups, err := r.groupsOf(100, id64)
			if err != nil {
				t.Fatal(err)
			}
			m, err := r.newMeter(groups)
			if err != nil {
				t.Fatal(err)
			}
			start := m.firstTaken
			if err := m.sample(start.Add(1)); err != nil {
				t.Fatal(err)
			}
			current := map[string]string{"v1": "memory.usage_in_bytes", "v2": "memory.current"}[name]
			if err := os.WriteFile(root.join(m.memory+"/"+current), []byte("900\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := m.sample(start.Add(11)); err != nil {
				t.Fatal(err)
			}
			want := Usage{Samples: 2, Window: 10, WorkingSet: 700, Unreclaimable: 250, Swap: 700, Peak: 5000, OOMKills: 3, Pids: 4, PidsPeak: 41}
			if diff := cmp.Diff(want, m.usage); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := r.groupsOf(100, strings.Repeat("f", 64)); err == nil {
				t.Error("another container's process was taken")
			}
			if err := os.Remove(root.join(m.memory + "/memory.stat")); err != nil {
				t.Fatal(err)
			}
			if err := m.sample(start); err == nil {
				t.Error("a missing memory.stat went unnoticed")
			}
		})
	}
}
