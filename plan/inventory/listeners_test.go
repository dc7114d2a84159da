package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan/evidence"
)

const tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0 100 0 0 10 0
   1: 0100007F:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1 0 100 0 0 10 0
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1003 1 0 100 0 0 10 0
   3: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2001 1 0 100 0 0 10 0
   4: 0100007F:0050 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1004 1 0 100 0 0 10 0
`

const udp6Table = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1005 2 0 0
`

// procWith is a recorded /proc of one process with its sockets.
func procWith(t *testing.T, files map[string]string, sockets ...string) hostRoot {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		plant(t, root, name)
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plant(t, root, "proc/7/fd/")
	for _, s := range append(sockets, "/dev/null", "pipe:[1001]") {
		if err := os.Symlink(s, filepath.Join(root, "proc/7/fd", strings.Trim(filepath.Base(s), "[]:"))); err != nil {
			t.Fatal(err)
		}
	}
	return hostRoot(root)
}

func TestListeners(t *testing.T) {
	r := procWith(t, map[string]string{"proc/7/net/tcp": tcpTable, "proc/7/net/udp6": udp6Table},
		"socket:[1001]", "socket:[1002]", "socket:[1003]", "socket:[1004]", "socket:[1005]")
	c := &Container{Proc: &Proc{Init: Process{PID: 7, Name: "serve"}, All: []Process{{PID: 7, Name: "serve"}, {PID: 8, Name: "gone"}}}}
	got, problem := r.listeners(c.Proc)
	want := []evidence.Listener{
		{Protocol: "udp6", Address: "::1", Port: 53, Process: "serve"},
		{Protocol: "tcp", Address: "0.0.0.0", Port: 80, Process: "serve"},
		{Protocol: "tcp", Address: "127.0.0.1", Port: 443, Process: "serve"},
		{Protocol: "tcp", Address: "0.0.0.0", Port: 8080, Process: "serve"},
	}
	if len(got) != len(want) || problem != "" {
		t.Fatalf("%+v %s: one of somebody else or a connection is none", got, problem)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	if (&Container{}).Listeners() != nil {
		t.Error("a container that could not be read listens")
	}
}

// What could not be seen is said: a container whose ports are not known must not lose one.
func TestListenersProblem(t *testing.T) {
	c := &Proc{Init: Process{PID: 7}, All: []Process{{PID: 7}}}
	if _, problem := procWith(t, nil).listeners(c); !strings.Contains(problem, "could not be read") {
		t.Errorf("without the kernel's tables: %q", problem)
	}
	many := make([]string, maxSockets)
	for i := range many {
		many[i] = fmt.Sprintf("socket:[%d]", 9000+i)
	}
	if _, problem := procWith(t, map[string]string{"proc/7/net/tcp": tcpTable}, many...).listeners(c); !strings.Contains(problem, "too many files") {
		t.Errorf("with %d sockets: %q", len(many), problem)
	}
}

func TestReadTCPListeners(t *testing.T) {
	r := procWith(t, map[string]string{"proc/7/net/tcp": tcpTable, "proc/7/net/udp6": udp6Table})
	got, err := ReadTCPListeners(string(r)+"/", 7)
	if want := "[0.0.0.0:80 127.0.0.1:443 0.0.0.0:8080 0.0.0.0:22]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v %v, want %s", got, err, want)
	}
	if _, err := ReadTCPListeners(string(r), 8); err == nil {
		t.Error("a process that is not there listens nowhere")
	}
}

func TestSocketAddr(t *testing.T) {
	for _, bad := range []string{"", "00000000", "0000:0050", "0000000g:0050", "00000000:10000", "0000000000:0050"} {
		if at, ok := socketAddr(bad); ok {
			t.Errorf("%q is read as %s", bad, at)
		}
	}
}

func TestNetworkSettings(t *testing.T) {
	r := procWith(t, map[string]string{
		"proc/sys/net/ipv4/ip_unprivileged_port_start": "1024\n", "proc/sys/net/ipv4/ping_group_range": "0\t2147483647\n",
	})
	got := r.networkSettings()
	if got.UnprivilegedPortStart == nil || *got.UnprivilegedPortStart != 1024 || got.PingGroupRange != "0 2147483647" {
		t.Errorf("%+v", got)
	}
	if got := hostRoot(t.TempDir()).networkSettings(); got != (evidence.Sysctls{}) {
		t.Errorf("without files: %+v", got)
	}
	// Its own network is one that it may enter when it is root; what it reads there is what it reads here.
	own := (&Container{Proc: &Proc{Init: Process{PID: os.Getpid()}}}).NetworkSettings()
	here := hostRoot("").networkSettings()
	if own.PingGroupRange != "" && own.PingGroupRange != here.PingGroupRange {
		t.Errorf("%+v, here %+v", own, here)
	}
}
