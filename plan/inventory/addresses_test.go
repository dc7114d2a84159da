package inventory

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"docker-harden/plan/evidence"
)

const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
        |-- 192.0.2.7
           /32 host LOCAL
`

func TestReachable(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "proc/100/net")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := hostRoot(root).reachable(100); got != nil {
		t.Errorf("of a network that cannot be read: %+v", got)
	}
	write("fib_trie", trie)
	write("if_inet6", "00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000000000000000000001 02 40 00 80     eth0\nbroken\n")
	if got := hostRoot(root).reachable(100); got != nil {
		t.Errorf("without a table of sockets: %+v", got)
	}
	write("tcp", "head\n 0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1001 1 0 100 0 0 10 0\n")
	write("udp", "head\n 0: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1002 2 0 0\n")
	got := hostRoot(root).reachable(100)
	if got == nil || !slices.Equal(got.Addresses, []string{"127.0.0.1", "192.0.2.7", "2001:db8::1", "::1"}) {
		t.Fatalf("%+v", got)
	}
	if want := []evidence.Listener{{Protocol: "tcp", Address: "127.0.0.1", Port: 80}, {Protocol: "udp", Address: "0.0.0.0", Port: 53}}; !slices.Equal(got.Listeners, evidence.Ports(want)) {
		t.Errorf("%+v", got.Listeners)
	}
	for text, want := range map[string]bool{"127.9.9.9": true, "192.0.2.7": true, "192.0.2.8": false, "::1": true, "2001:db8::1": true, "fe80::1": false} {
		if got.Has(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: not %t", text, want)
		}
	}
}
