package inventory

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	mathrand "math/rand"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (i issued) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw}))
}

// der is the key in the form that most tools write.
func (i issued) der(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (i issued) keyPEM(t *testing.T) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: i.der(t)}))
}

func elliptical(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate; by nil signs itself. change may spoil it.
func issue(t *testing.T, name string, key crypto.Signer, by *issued, change func(*x509.Certificate)) issued {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour).Truncate(time.Second), NotAfter: time.Now().Add(90 * 24 * time.Hour).Truncate(time.Second),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if by == nil {
		template.IsCA, template.ExtKeyUsage, template.KeyUsage = true, nil, x509.KeyUsageCertSign
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, key}
}

// credentialsOf puts three texts into files and looks into them.
func credentialsOf(t *testing.T, ca, cert, key string) (*Credential, *Credential, *Credential) {
	t.Helper()
	root := tree(t, map[string]string{"/etc/docker/ca.pem": ca, "/etc/docker/cert.pem": cert, "/etc/docker/key.pem": key})
	d := Daemon{Flags: map[string][]string{"tlscacert": {"/etc/docker/ca.pem"}, "tlscert": {"/etc/docker/cert.pem"}, "tlskey": {"/etc/docker/key.pem"}}}
	files, _ := root.engineFiles(&d, "/var/run/docker.sock")
	list := of(files, "tls")
	if len(list) != 3 || list[0].TLS == nil || list[1].TLS == nil || list[2].TLS == nil {
		t.Fatalf("%s", told(list))
	}
	return list[0].TLS, list[1].TLS, list[2].TLS
}

func TestCredentials(t *testing.T) {
	ca := issue(t, "our CA", elliptical(t, elliptic.P256()), nil, nil)
	other := issue(t, "another CA", elliptical(t, elliptic.P256()), nil, nil)
	serverKey := elliptical(t, elliptic.P256())
	good := issue(t, "engine", serverKey, &ca, nil)
	between := issue(t, "between", elliptical(t, elliptic.P384()), &ca, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
	})
	below := issue(t, "engine", serverKey, &between, nil)
	noCA := issue(t, "no CA", elliptical(t, elliptic.P256()), nil, func(c *x509.Certificate) { c.IsCA = false })
	long := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-900*24*time.Hour), time.Now().Add(-400*24*time.Hour)
	}
	junk := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")}))
	for _, tc := range []struct {
		name, ca, cert               string
		untrusted, certIs, caProblem string
	}{
		{name: "good", ca: ca.pem(), cert: good.pem()},
		{name: "good, in a bundle with text", ca: "text\n" + other.pem() + junk + ca.pem(), cert: good.pem()},
		{name: "good, through one between", ca: ca.pem(), cert: below.pem() + between.pem()},
		{name: "expired is judged elsewhere", ca: ca.pem(), cert: issue(t, "engine", serverKey, &ca, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = ca.cert.NotBefore, ca.cert.NotBefore.Add(time.Minute)
		}).pem()},
		{name: "the one between is missing", ca: ca.pem(), cert: below.pem(), untrusted: "no CA of that file signed it"},
		{name: "another CA", ca: other.pem(), cert: good.pem(), untrusted: "no CA of that file signed it"},
		{name: "never valid together", ca: ca.pem(), cert: issue(t, "engine", serverKey, &ca, long).pem(), untrusted: "there was no day on which it and the CA were valid together"},
		{name: "for clients", ca: ca.pem(), cert: issue(t, "engine", serverKey, &ca, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}).pem(), untrusted: "it is not made for servers (its extended key usage lacks serverAuth)"},
		{name: "signed by no CA", ca: noCA.pem(), cert: issue(t, "engine", serverKey, &noCA, nil).pem(), untrusted: "no CA of that file signed it"},
		{name: "damaged", ca: ca.pem(), cert: junk, certIs: "a certificate in it cannot be read: it is damaged"},
		{name: "empty", ca: "", cert: good.pem(), caProblem: "it holds no certificate in PEM form"},
		{name: "binary", ca: string(ca.cert.Raw), cert: good.pem(), caProblem: "it holds no certificate in PEM form"},
		{name: "too many", ca: strings.Repeat(ca.pem(), maxCertificates+1), cert: good.pem(), caProblem: "it holds more than 200 certificates"},
		{name: "too large", ca: strings.Repeat("x", maxCredential+2), cert: good.pem(), caProblem: "it cannot be read:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			roots, server, key := credentialsOf(t, tc.ca, tc.cert, good.keyPEM(t))
			if server.Untrusted != tc.untrusted || server.Problem != tc.certIs {
				t.Errorf("untrusted %q, problem %q", server.Untrusted, server.Problem)
			}
			if !strings.HasPrefix(roots.Problem, tc.caProblem) || tc.caProblem == "" && roots.Problem != "" {
				t.Errorf("problem of the CA: %q", roots.Problem)
			}
			if (roots.Problem == "") != (len(roots.Certificates) > 0) || (server.Problem == "") != (len(server.Certificates) > 0) {
				t.Errorf("a file with a problem shows certificates, or one without shows none: %+v %+v", roots, server)
			}
			if server.Problem == "" && server.Certificates[0].Key.SHA256 != key.Key.SHA256 {
				t.Error("the key is not seen to belong to the certificate")
			}
		})
	}
}

func TestCertificateFacts(t *testing.T) {
	ca := issue(t, "our CA", elliptical(t, elliptic.P256()), nil, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	server := issue(t, "engine", weak, &ca, nil)
	roots, cert, key := credentialsOf(t, ca.pem(), server.pem(), server.keyPEM(t))
	if got := roots.Certificates[0]; !got.Root || got.Subject != "CN=our CA" || got.Signature != "ECDSA-SHA256" || got.Key.Bits != 256 || got.Key.Algorithm != "ECDSA" {
		t.Errorf("%+v", got)
	}
	got := cert.Certificates[0]
	if got.Root || got.Key.Algorithm != "RSA" || got.Key.Bits != 1024 || *key.Key != got.Key || !got.NotAfter.Equal(server.cert.NotAfter) || !got.NotBefore.Equal(server.cert.NotBefore) {
		t.Errorf("%+v, key %+v", got, key.Key)
	}
	old := issue(t, "engine", weak, &issued{cert: ca.cert, key: ca.key}, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	_, cert, _ = credentialsOf(t, ca.pem(), old.pem(), server.keyPEM(t))
	if got := cert.Certificates[0].Signature; got != "ECDSA-SHA1" || cert.Untrusted != "it is signed with an algorithm that nobody accepts any more" {
		t.Errorf("%s, %q", got, cert.Untrusted)
	}
}

func TestPrivateKeys(t *testing.T) {
	ca := issue(t, "our CA", elliptical(t, elliptic.P256()), nil, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := elliptical(t, elliptic.P384())
	ecDER, err := x509.MarshalECPrivateKey(ecKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte, headers map[string]string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der, Headers: headers}))
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(rsaKey)
	ed := issued{key: edKey}.der(t)
	for name, tc := range map[string]struct{ text, want string }{
		"PKCS 1":                  {block("RSA PRIVATE KEY", pkcs1, nil), "RSA 2048"},
		"SEC 1, after parameters": {block("EC PARAMETERS", []byte{6, 5}, nil) + block("EC PRIVATE KEY", ecDER, nil), "ECDSA 384"},
		"PKCS 8":                  {block("PRIVATE KEY", ed, nil), "Ed25519 256"},
		"with its certificate":    {ca.pem() + block("PRIVATE KEY", ed, nil), "Ed25519 256"},
		"encrypted, PKCS 8":       {block("ENCRYPTED PRIVATE KEY", pkcs1, nil), "encrypted"},
		"encrypted, old form":     {block("RSA PRIVATE KEY", pkcs1, map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}), "encrypted"},
		"damaged":                 {block("PRIVATE KEY", ed[:len(ed)-3], nil), "damaged"},
		"a certificate":           {ca.pem(), "no private key"},
		"nothing":                 {"", "no private key"},
		"not PEM":                 {string(pkcs1), "no private key"},
	} {
		_, _, key := credentialsOf(t, ca.pem(), ca.pem(), tc.text)
		got := key.Problem
		if key.Key != nil {
			got = key.Key.Algorithm + " " + big.NewInt(int64(key.Key.Bits)).String()
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// A directory, and a way to the files that others may change.
func TestCredentialsOutOfOrder(t *testing.T) {
	root := tree(t, map[string]string{"/etc/docker/ca.pem/": "", "/srv/open/cert.pem": "x", "/etc/docker/key.pem": "-> /srv/open/key.pem", "/srv/open/key.pem": "x"})
	if err := os.Chmod(root.join("/srv/open"), 0o777); err != nil {
		t.Fatal(err)
	}
	d := Daemon{Flags: map[string][]string{"tlscacert": {"/etc/docker/ca.pem"}, "tlscert": {"/srv/open/cert.pem"}, "tlskey": {"/etc/docker/key.pem"}}}
	files, _ := root.engineFiles(&d, "/var/run/docker.sock")
	list := of(files, "tls")
	if got := list[0].TLS; got.Loose != "" || got.Problem != "it cannot be read: it is a directory and no file" {
		t.Errorf("%+v", got)
	}
	for _, f := range list[1:] {
		if f.TLS.Loose != "/srv/open" {
			t.Errorf("%s: %+v", f.Path, f.TLS)
		}
	}
}

// Files that a profile means to give the engine are looked at like its own, each in the place of what is configured.
func TestGivenTLS(t *testing.T) {
	ca := issue(t, "our CA", elliptical(t, elliptic.P256()), nil, nil)
	other := issue(t, "another CA", elliptical(t, elliptic.P256()), nil, nil)
	server := issue(t, "engine", elliptical(t, elliptic.P256()), &ca, nil)
	root := tree(t, map[string]string{"/a": ca.pem(), "/b": server.pem(), "/c": server.keyPEM(t), "/other": other.pem(), "/link": "-> /c"})
	d := Daemon{Flags: map[string][]string{"tlscacert": {"/other"}, "tlscert": {"/b"}, "tlskey": {"/c"}}}
	found, files := root.engineFiles(&d, "/var/run/docker.sock")
	if got := root.givenTLS(TLSFiles{}, found, files); got != nil {
		t.Errorf("nothing is given: %s", told(got))
	}
	for _, tc := range []struct {
		name, want string
		given      TLSFiles
	}{
		{"all", "tls-ca /a\ntls-cert /b\ntls-key /c = /c by /link\n", TLSFiles{"/a", "/b", "/link"}},
		{"the CA", "tls-ca /a\ntls-cert /b\ntls-key /c\n", TLSFiles{CA: "/a"}},
		{"missing", "tls-ca /a\ntls-cert /no none: there is no /no\ntls-key /c\n", TLSFiles{CA: "/a", Cert: "/no"}},
		{"relative", "tls-ca a problem: it is no absolute path\ntls-cert /b\ntls-key /c\n", TLSFiles{CA: "a"}},
	} {
		got := root.givenTLS(tc.given, found, files)
		if text := told(got); text != strings.ReplaceAll(tc.want, "tls-key /c = /c", "tls-key /link = /c") {
			t.Errorf("%s: got\n%s", tc.name, text)
		}
		if len(got) != 3 {
			t.Fatalf("%s: %d files", tc.name, len(got))
		}
		if server := got[1].TLS; server != nil && server.Untrusted != "" {
			t.Errorf("%s: the server's certificate is judged against another CA: %s", tc.name, server.Untrusted)
		}
		if key := got[2].TLS; key == nil || key.Key == nil {
			t.Errorf("%s: the key was not looked into", tc.name)
		}
	}
	for _, name := range []string{"/a", "/c"} {
		if !files[name].Exists {
			t.Errorf("%s: owner and mode are not known", name)
		}
	}
	if own := of(found, "tls"); len(own) != 3 || own[0].TLS == nil || own[1].TLS == nil || own[1].TLS.Untrusted == "" {
		t.Error("what is configured is judged differently now")
	}
}

// No byte of a key leaves the inventory, neither of a whole one nor of any damaged one.
func TestNoKeyInASnapshot(t *testing.T) {
	ca := issue(t, "our CA", elliptical(t, elliptic.P256()), nil, nil)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	server := issue(t, "engine", key, &ca, nil)
	whole := server.keyPEM(t)
	random := mathrand.New(mathrand.NewSource(1))
	for n := range 200 {
		text := []byte(whole)
		if n > 0 {
			text[random.Intn(len(text))] = byte(random.Intn(256))
			if n%2 == 0 {
				text = text[:random.Intn(len(text))]
			}
		}
		root := tree(t, map[string]string{"/k": string(text), "/c": server.pem() + string(text), "/a": ca.pem()})
		d := Daemon{Flags: map[string][]string{"tlscacert": {"/a"}, "tlscert": {"/c"}, "tlskey": {"/k"}}}
		found, seen := root.engineFiles(&d, "/var/run/docker.sock")
		var out bytes.Buffer
		given := root.givenTLS(TLSFiles{CA: "/a", Cert: "/c", Key: "/k"}, found, seen)
		if err := (&Host{Format: SnapshotFormat, EngineFiles: found, GivenTLS: given, Files: seen}).Save(&out); err != nil {
			t.Fatal(err)
		}
		leaks(t, out.String(), string(text), key)
		if n > 0 {
			continue
		}
		again, err := Load(&out, "x")
		if err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(found)
		after, _ := json.Marshal(again.EngineFiles)
		if !bytes.Equal(before, after) || !slices.ContainsFunc(again.EngineFiles, func(f EngineFile) bool { return f.TLS != nil && f.TLS.Key != nil && f.TLS.Key.SHA256 != "" }) {
			t.Errorf("the facts do not come back from a snapshot:\n%s\n%s", before, after)
		}
	}
}

// leaks fails when a text holds a line of a key file, or one of the secret numbers in any usual form.
func leaks(t *testing.T, snapshot, file string, key *rsa.PrivateKey) {
	t.Helper()
	const telling = 16
	for line := range strings.Lines(file) {
		if line = strings.TrimSpace(line); len(line) >= telling && strings.Contains(snapshot, line[:telling]) {
			t.Fatalf("the snapshot holds %q", line[:telling])
		}
	}
	for _, secret := range []*big.Int{key.D, key.Primes[0], key.Primes[1]} {
		for _, form := range []string{secret.String(), secret.Text(16), base64.StdEncoding.EncodeToString(secret.Bytes())} {
			if strings.Contains(snapshot, form[:telling]) {
				t.Fatal("the snapshot holds a secret number of the key")
			}
		}
	}
}
