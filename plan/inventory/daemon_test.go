package inventory

import (
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
)

// stat is a /proc/PID/stat.
func stat(pid int, name string, parent int) string {
	return fmt.Sprintf("%d (%s) S %d 0 0 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 1000 0 0\n", pid, name, parent)
}

// engineAt is a recorded host whose process 1 is called init and whose engine is process 70,
// started 10 s after boot.
func engineAt(t *testing.T, init, group, argv string, files map[string]string) (hostRoot, process, []process) {
	t.Helper()
	all := map[string]string{
		"/proc/stat": "cpu 1\nbtime 1700000000\n", "/proc/1/stat": stat(1, init, 0),
		"/proc/70/stat": stat(70, "dockerd", 1), "/proc/70/exe": "-> /usr/bin/dockerd (deleted)", "/proc/70/cwd": "-> /srv",
		"/proc/70/cmdline": strings.ReplaceAll(argv, " ", "\x00") + "\x00", "/proc/70/environ": "", "/proc/70/cgroup": group,
	}
	maps.Copy(all, files)
	root := tree(t, all)
	table, err := root.processes()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := root.process(70)
	if err != nil {
		t.Fatal(err)
	}
	return root, engine, table
}

func TestReadDaemon(t *testing.T) {
	const service, scope = "0::/system.slice/docker.service\n", "0::/user.slice/session-1.scope\n"
	for _, tc := range []struct {
		name, init, group, argv string
		files                   map[string]string
		want                    string // manager unit path next
		problem                 string
	}{
		{name: "bare", init: "init", group: "0::/\n", argv: "dockerd", want: "bare  /etc/docker/daemon.json dockerd"},
		{name: "started by hand under systemd", init: "systemd", group: scope, argv: "dockerd -D", want: "bare  /etc/docker/daemon.json dockerd -D"},
		{
			name: "systemd v1", init: "systemd", group: "2:memory:/x\n1:name=systemd:/system.slice/docker.service\n0::/other.service\n", argv: "dockerd",
			files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/bin/dockerd -D --config-file=/etc/d.json\n"},
			want:  "systemd docker.service /etc/d.json /usr/bin/dockerd -D --config-file=/etc/d.json", problem: "the running engine read /etc/docker/daemon.json, the next start will read /etc/d.json",
		},
		{name: "unit is gone", init: "systemd", group: service, argv: "dockerd -D", want: "systemd docker.service /etc/docker/daemon.json dockerd -D", problem: "no such unit file"},
		{
			name: "unit starts a wrapper", init: "systemd", group: service, argv: "dockerd -D",
			files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=/opt/start.sh\n"},
			want:  "systemd docker.service /etc/docker/daemon.json dockerd -D", problem: "through /opt/start.sh, which may add flags",
		},
		{
			name: "a user's systemd", init: "systemd", group: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service\n", argv: "dockerd",
			files: map[string]string{"/proc/70/environ": "ROOTLESSKIT_STATE_DIR=/x\x00HOME=/home/me\x00"},
			want:  "unknown docker.service /home/me/.config/docker/daemon.json dockerd", problem: "a user's own systemd",
		},
		{
			name: "rootless with XDG_CONFIG_HOME", init: "init", group: "0::/\n", argv: "dockerd",
			files: map[string]string{"/proc/70/environ": "ROOTLESSKIT_STATE_DIR=/x\x00XDG_CONFIG_HOME=/cfg\x00"}, want: "bare  /cfg/docker/daemon.json dockerd",
		},
		{
			name: "supervised", init: "runit", group: "0::/\n", argv: "dockerd", files: map[string]string{"/proc/70/stat": stat(70, "dockerd", 60), "/proc/60/stat": stat(60, "runsv", 1)},
			want: "unknown runsv /etc/docker/daemon.json dockerd",
		},
		{name: "relative config file", init: "init", group: "0::/\n", argv: "dockerd --config-file conf/d.json", want: "bare  /srv/conf/d.json dockerd --config-file conf/d.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, engine, table := engineAt(t, tc.init, tc.group, tc.argv, tc.files)
			d := &daemonReader{root: root}
			got := d.read(engine, table)
			if text := strings.Join([]string{got.Manager, got.Unit, got.ConfigPath, strings.Join(got.NextArgv, " ")}, " "); text != tc.want {
				t.Errorf("%q, want %q", text, tc.want)
			}
			if got.PID != 70 || got.Exe != "/usr/bin/dockerd" || !got.ExeDeleted || !got.Started.Equal(time.Unix(1700000010, 0)) || strings.Join(got.Argv, " ") != tc.argv {
				t.Errorf("%+v", got)
			}
			if got.ConfigExplicit != strings.Contains(tc.want, "--config-file") {
				t.Errorf("explicit: %v", got.ConfigExplicit)
			}
			if text := fmt.Sprint(d.problems); (tc.problem == "") != (len(d.problems) == 0) || !strings.Contains(text, tc.problem) {
				t.Errorf("problems %s, want %q", text, tc.problem)
			}
		})
	}
}

func TestEngineAsFirstProcess(t *testing.T) {
	root, _, _ := engineAt(t, "dockerd", "0::/\n", "dockerd", map[string]string{"/proc/1/cgroup": "0::/\n", "/proc/1/exe": "-> /usr/bin/dockerd", "/proc/1/cmdline": "dockerd\x00"})
	p, err := root.process(1)
	if err != nil {
		t.Fatal(err)
	}
	if d := (&daemonReader{root: root}).read(p, []process{p}); d.Manager != "unknown" {
		t.Errorf("%+v", d)
	}
}

func TestConfigStates(t *testing.T) {
	started := time.Unix(1700000010, 0)
	for _, tc := range []struct {
		name, text string
		changed    time.Time
		effective  bool
		want       string // exists parseError pending
	}{
		{"missing", "", started, false, "false false false"},
		{"read at start", "{}", started.Add(changeTolerance), false, "true false false"},
		{"edited since", "{}", started.Add(changeTolerance + 1), false, "true false true"},
		{"edited by us", "{}", started.Add(time.Hour), true, "true false false"},
		{"broken", "{", started, false, "true true false"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := map[string]string{"/etc/docker": "-> /srv/docker", "/srv/docker/": ""}
			if tc.text != "" {
				files["/srv/docker/daemon.json"] = tc.text
			}
			root, engine, _ := engineAt(t, "init", "0::/\n", "dockerd", files)
			asked := ""
			d := &daemonReader{root: root, options: Options{Effective: func(path, sum string, pid int, at time.Time) bool {
				asked = fmt.Sprint(path, " ", len(sum), " ", pid, " ", at.Equal(started))
				return tc.effective
			}}}
			got := Daemon{PID: engine.pid, Started: started, ConfigPath: "/etc/docker/daemon.json"}
			d.config(&got)
			got.Config.Changed = tc.changed
			got.Pending = got.Config.Exists && d.pending(&got)
			if text := fmt.Sprint(got.Config.Exists, got.ParseError != "", got.Pending); text != tc.want {
				t.Errorf("%s, want %s: %+v", text, tc.want, got)
			}
			if got.Resolved != "/srv/docker/daemon.json" || len(got.Links) != 1 || got.Links[0] != "/etc/docker" {
				t.Errorf("%s %v", got.Resolved, got.Links)
			}
			if tc.effective && asked != "/srv/docker/daemon.json 64 70 true" {
				t.Errorf("asked for %q", asked)
			}
		})
	}
}

func TestUnreadableConfig(t *testing.T) {
	root, engine, _ := engineAt(t, "init", "0::/\n", "dockerd", map[string]string{"/etc/docker/daemon.json/": "", "/loop": "-> loop"})
	for path, want := range map[string]string{"/etc/docker/daemon.json": "not a regular file", "/loop": "too many levels"} {
		d := &daemonReader{root: root}
		got := Daemon{PID: engine.pid, ConfigPath: path}
		d.config(&got)
		if !strings.Contains(got.ParseError, want) || len(d.problems) != 1 || !d.problems[0].Fatal {
			t.Errorf("%s: %+v %v", path, got.ParseError, d.problems)
		}
	}
}

func TestFindEngine(t *testing.T) {
	const unixTable = "Num       RefCount Protocol Flags    Type St Inode Path\n0: 2 0 10000 1 1 111 /var/run/docker.sock\n1: 2 0 10000 1 1 222\n2: 2 0 10000 1 1 333 /run/other.sock\n"
	engine := func(pid int, inode string) map[string]string {
		p := fmt.Sprintf("/proc/%d/", pid)
		return map[string]string{p + "stat": stat(pid, "dockerd", 1), p + "exe": "-> /usr/bin/dockerd", p + "net/unix": unixTable, p + "fd/3": "-> socket:[" + inode + "]"}
	}
	both := engine(70, "333")
	maps.Copy(both, engine(80, "111"))
	none := engine(70, "1")
	maps.Copy(none, engine(80, "2"))
	helped := engine(70, "1")
	maps.Copy(helped, map[string]string{"/proc/70/cmdline": "/usr/bin/dockerd\x00"})
	for pid, args := range map[int]string{81: "set-ipv6\x00/var/run/docker/netns/1\x00", 82: "/usr/bin/dockerd\x00--validate\x00"} {
		maps.Copy(helped, map[string]string{
			fmt.Sprintf("/proc/%d/stat", pid): stat(pid, "exe", 1), fmt.Sprintf("/proc/%d/exe", pid): "-> /usr/bin/dockerd",
			fmt.Sprintf("/proc/%d/cmdline", pid): args,
		})
	}
	forked := engine(75, "111") // and what it starts has not become another program yet
	maps.Copy(forked, engine(74, "111"))
	maps.Copy(forked, map[string]string{"/proc/74/stat": stat(74, "dockerd", 75)})
	unbound := engine(70, "1")
	maps.Copy(unbound, engine(69, "1"))
	maps.Copy(unbound, map[string]string{"/proc/69/stat": stat(69, "dockerd", 70)})
	rootless := map[string]string{"/proc/90/stat": stat(90, "dockerd-rootles", 1), "/proc/90/exe": "-> /usr/bin/dockerd-rootless.sh"}
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  int
		err   string
	}{
		{"the one that holds the socket", both, 80, ""},
		{"one that hides its descriptors", engine(70, "9"), 70, ""},
		{"two that hide theirs", none, 0, "2 dockerd processes run and none could be tied"},
		{"one, and helpers that have its binary", helped, 70, ""},
		{"one that starts a program", forked, 75, ""},
		{"one that starts a program, behind another's socket", unbound, 70, ""},
		{"only a helper", rootless, 0, "no dockerd process is in sight"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			maps.Copy(tc.files, map[string]string{"/run/": "", "/var/run": "-> /run"})
			root := tree(t, tc.files)
			table, err := root.processes()
			if err != nil {
				t.Fatal(err)
			}
			// The test itself listens, as systemd would: nobody in the table.
			socket, listening := listen(t, root, "/run/docker.sock")
			defer listening()
			for i := range table {
				if table[i].pid == os.Getpid() {
					t.Fatalf("pid %d is taken", table[i].pid)
				}
			}
			got, err := root.findEngineOf(socket, table, 1)
			if got.pid != tc.want || (tc.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%d %v", got.pid, err)
			}
			if _, err := root.findEngine(socket, table); tc.want == 70 && (err == nil || !strings.Contains(err.Error(), "which is not a Docker engine")) {
				t.Errorf("a socket served by another process: %v", err)
			}
		})
	}
}

func TestDaemonOnHost(t *testing.T) {
	h := host.Here(t)
	time.Sleep(changeTolerance)
	h.WriteDaemonJSON(t, `{"debug": true}`)
	found := observe(t, h)
	if !found.Daemon.Pending || string(found.Daemon.Keys["debug"]) != "true" || found.Engine.Debug {
		t.Errorf("%+v", found.Daemon)
	}
	known := collect(t, h.Client(t), Options{Effective: func(path, _ string, pid int, _ time.Time) bool {
		return path == "/etc/docker/daemon.json" && pid == h.PID(t)
	}})
	if known.Daemon.Pending {
		t.Error("a known edit is pending")
	}
	before, _ := found.Basis(plan.Daemon())
	h.Restart(t)
	found = observe(t, h)
	after, ok := found.Basis(plan.Daemon())
	if found.Daemon.Pending || !found.Engine.Debug || found.Daemon.PID != h.PID(t) || !ok || len(before.Moved(after)) != 0 {
		t.Errorf("%+v", found.Daemon)
	}
	h.WriteDaemonJSON(t, `{"debug": true,`)
	if found = observe(t, h); !strings.HasPrefix(found.Daemon.ParseError, "line 1: ") || !hasProblem(found, "/etc/docker/daemon.json", "unexpected end", false) {
		t.Errorf("%+v %v", found.Daemon, found.Problems)
	}
}

// listen serves a socket of a recorded host.
func listen(t *testing.T, root hostRoot, name string) (socket string, stop func()) {
	t.Helper()
	socket = root.join(name)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return socket, func() { l.Close() }
}
