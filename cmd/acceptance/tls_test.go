package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tlsDir is where the files of TLS of an engine are.
const tlsDir = "/etc/docker/tls"

// authority is a CA that signs certificates of an engine and its clients.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "our CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate; the first one signs itself.
func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.must(err)
	c.SerialNumber, c.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), true
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)
	}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	a.must(err)
	made, err := x509.ParseCertificate(der)
	a.must(err)
	return made, key
}

// server is the certificate of an engine on this machine.
func (a *authority) server(until time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "engine"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
	})
}

// client is a web client that knows engines of the authority, with a certificate of another one, or with none.
func (a *authority) client(of *authority) *http.Client {
	a.t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	config.RootCAs.AddCert(a.cert)
	if of != nil {
		cert, key := of.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: time.Minute}
}

func (a *authority) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// write puts the files of TLS in place as they should be.
func (a *authority) write(cert *x509.Certificate, key *ecdsa.PrivateKey) {
	a.t.Helper()
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.must(err)
	a.must(os.MkdirAll(tlsDir, 0o755))
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: a.cert.Raw}, "cert.pem": {Type: "CERTIFICATE", Bytes: cert.Raw}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		mode := os.FileMode(0o444)
		if name == "key.pem" {
			mode = 0o400
		}
		file := filepath.Join(tlsDir, name)
		_ = os.Remove(file)
		a.must(os.WriteFile(file, pem.EncodeToMemory(block), mode))
		a.must(os.Chmod(file, mode))
	}
}

// reach asks an engine whether it answers.
func reach(c *http.Client, url string) error {
	answer, err := c.Get(url + "/_ping")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || string(text) != "OK") {
		err = fmt.Errorf("%s: %q", answer.Status, text)
	}
	return err
}

// words is a text without the line ends that the width of the terminal made.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// freePort is a port of this host on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func soon() time.Time { return time.Now().Add(90 * 24 * time.Hour) }

func past() time.Time { return time.Now().Add(-24 * time.Hour) }

// answersTLS writes the profile that the open question shows, and sees each kind of bad files refused with it.
func (o *operator) answersTLS(ca, other *authority) {
	o.t.Helper()
	answer := "controls: {docker/tls-on-tcp: {params: {answer: tls, ca: /etc/docker/tls/ca.pem, cert: /etc/docker/tls/cert.pem, key: /etc/docker/tls/key.pem}}}"
	if open := o.run(0, "plan", "--only", "docker/tls-on-tcp"); !strings.Contains(words(open.stdout), answer) {
		o.t.Errorf("the plan does not show how to answer:\n%s", answer)
	}
	ca.must(os.WriteFile(filepath.Join(o.dir, "answer.yaml"), []byte("format: docker-harden/profile/v1\nname: answer\n"+answer+"\n"), 0o600))
	refused := func(why string) {
		o.t.Helper()
		made := o.run(0, "plan", "-p", "answer.yaml", "-o", "bad.plan")
		if len(o.plan("bad.plan").Steps) != 0 || !strings.Contains(words(made.stdout), why) {
			o.t.Errorf("the plan does not refuse because of %q", why)
		}
	}
	refused("there is no /etc/docker/tls/cert.pem")
	ca.write(ca.server(past()))
	refused("cert.pem is of no use: it expired on")
	cert, _ := ca.server(soon())
	_, foreign := ca.server(soon())
	ca.write(cert, foreign)
	refused("it does not belong to the certificate in /etc/docker/tls/cert.pem")
	ca.write(other.server(soon()))
	refused("no CA of that file signed it")
}

// An engine that lets everybody in on a TCP port gets TLS with files that the profile names: bad files are refused
// with a reason each, good ones lock out who has no certificate, and a rollback opens the port as it was.
func TestTLSOnTCPThereAndBack(t *testing.T) {
	o := newOperator(t)
	ca, other, address := newAuthority(t), newAuthority(t), freePort(t)
	o.host.WriteDaemonJSON(t, fmt.Sprintf("{\n    \"hosts\": [\"unix:///var/run/docker.sock\", \"tcp://%s\"],\n    \"labels\": [\"a=b\"],\n    \"live-restore\": true\n}\n", address))
	o.host.Restart(t)
	o.host.Docker(t, "run", "-d", "--name", "web", o.host.Image(t, "busybox"), "sleep", "3600")
	pid := o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", "web")
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	ca.must(reach(plain, "http://"+address))

	o.answersTLS(ca, other)
	ca.write(ca.server(soon()))
	before := o.record("before")

	o.run(0, "plan", "-p", "answer.yaml", "-o", "tls.plan")
	changed := map[string]string{}
	for _, s := range o.plan("tls.plan").Steps {
		for _, c := range s.Changes {
			changed[s.ID+" "+c.Path] = string(c.To)
		}
	}
	if diff := cmp.Diff(map[string]string{
		"daemon tlsverify": "true", "daemon tlscacert": `"/etc/docker/tls/ca.pem"`,
		"daemon tlscert": `"/etc/docker/tls/cert.pem"`, "daemon tlskey": `"/etc/docker/tls/key.pem"`,
	}, changed); diff != "" {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	ca.write(ca.server(past())) // between plan and apply
	if late := o.run(5, "apply", "tls.plan", "-y"); !strings.Contains(late.stderr, "plan again") {
		t.Error("files that went bad since the plan are not refused with what to do")
	}
	ca.write(ca.server(soon()))
	o.run(0, "apply", "tls.plan", "-y")

	if err := reach(ca.client(ca), "https://"+address); err != nil {
		t.Errorf("a client with a certificate does not get in: %v", err)
	}
	for what, err := range map[string]error{
		"a plain client": reach(plain, "http://"+address), "a client without a certificate": reach(ca.client(nil), "https://"+address),
		"a client of another CA": reach(ca.client(other), "https://"+address),
	} {
		if err == nil {
			t.Errorf("%s gets in", what)
		}
		t.Logf("%s: %v", what, err)
	}
	if now := o.host.Docker(t, "inspect", "-f", "{{.State.Pid}}", "web"); now != pid {
		t.Errorf("the container's process is %s and was %s", now, pid)
	}
	again := o.run(0, "plan", "-p", "answer.yaml", "-o", "again.plan")
	if len(o.plan("again.plan").Steps) != 0 || !strings.Contains(strings.ToLower(again.stdout), "no changes") {
		t.Error("a plan after the apply still changes something")
	}
	o.run(0, "verify")
	o.run(0, "rollback", "-y")
	ca.must(reach(plain, "http://"+address))
	o.script("check", before, o.record("after"))
}
