package docker

import (
	"encoding/json"
	"strings"
	"testing"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// The inventory is asked to look at files of TLS by a profile that answers tls, and by no other.
func TestGivenTLS(t *testing.T) {
	const files = "ca: /a, cert: /b, key: /c"
	for params, want := range map[string]inventory.TLSFiles{
		"{answer: tls, " + files + "}":    {CA: "/a", Cert: "/b", Key: "/c"},
		"{answer: tls, key: /c}":          {Key: "/c"},
		"{answer: tls}":                   {},
		"{answer: remove, " + files + "}": {},
		"{" + files + "}":                 {},
	} {
		if got := GivenTLS(load(t, []byte("controls: {docker/tls-on-tcp: {params: "+params+"}}\n"))); got != want {
			t.Errorf("%s: %+v, want %+v", params, got, want)
		}
	}
	if got := GivenTLS(load(t, []byte("controls: {docker/icc: {}}\n"))); got != (inventory.TLSFiles{}) {
		t.Errorf("without the control: %+v", got)
	}
}

// What the open question says is a profile that, with the files in these places, leads to the change.
func TestTheAnswerThatIsShownWorks(t *testing.T) {
	h := ordinaryHost()
	h.Taken = now
	h.Daemon.Keys = map[string]json.RawMessage{"hosts": raw([]string{"unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"})}
	open := judgeTLS(h, load(t, []byte("controls: {docker/tls-on-tcp: {}}\n")).Controls["docker/tls-on-tcp"].Params)[0]
	_, shown, ok := strings.Cut(open.Blocked, "the key 0400."+answerMark)
	if open.Status != plan.Fail || !ok {
		t.Fatalf("the finding shows no answer: %+v", open)
	}
	p := load(t, []byte(shown+"\n"))
	files := GivenTLS(p)
	if files.CA == "" || files.Cert == "" || files.Key == "" {
		t.Fatalf("%s names %+v", shown, files)
	}
	h.GivenTLS, h.Files = goodTLS(files)
	params, _ := p.ParamsFor("docker/tls-on-tcp", "", tlsOnTCP().Params)
	found := judgeTLS(h, params)[0]
	if len(found.Changes) != 4 || found.Blocked != "" {
		t.Errorf("the answer leads to %d changes: %s", len(found.Changes), found.Blocked)
	}
	for _, c := range found.Changes {
		if !ChangesDaemon(h, p, c) || !Changes(plan.ResourceDaemon, c.Path) {
			t.Errorf("a plan that changes %s would be refused", c.Path)
		}
		c.To = raw("/tmp/mine.pem")
		if ChangesDaemon(h, p, c) {
			t.Errorf("%s may be changed to any file", c.Path)
		}
	}
	// The files that were judged are not there any more when the plan is applied.
	h.GivenTLS[2].None, h.GivenTLS[2].TLS = "there is no such file", nil
	for _, c := range found.Changes {
		if ChangesDaemon(h, p, c) {
			t.Errorf("%s may be changed without the files", c.Path)
		}
	}
}

// goodTLS are three files of TLS that are in order.
func goodTLS(at inventory.TLSFiles) ([]inventory.EngineFile, map[string]inventory.File) {
	key := inventory.PublicKey{Algorithm: "ECDSA", Bits: 256, SHA256: "aa"}
	cert := inventory.Certificate{Subject: "CN=x", NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0), Key: key, Signature: "ECDSA-SHA256"}
	list := []inventory.EngineFile{
		{Role: inventory.RoleTLSCA, Path: at.CA, Resolved: at.CA, TLS: &inventory.Credential{Certificates: []inventory.Certificate{cert}}},
		{Role: inventory.RoleTLSCert, Path: at.Cert, Resolved: at.Cert, TLS: &inventory.Credential{Certificates: []inventory.Certificate{cert}}},
		{Role: inventory.RoleTLSKey, Path: at.Key, Resolved: at.Key, TLS: &inventory.Credential{Key: &key}},
	}
	files := map[string]inventory.File{}
	for _, f := range list {
		files[f.Resolved] = inventory.File{Path: f.Resolved, Exists: true, Mode: 0o400}
	}
	return list, files
}
