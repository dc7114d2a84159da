package inventory

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Credential is what one file of TLS was seen to hold: facts that were derived from it, never its bytes.
// Of a private key these are what its public half shows, which every client of the engine sees too.
type Credential struct {
	// Problem is why the file is of no use to the engine ("it holds no certificate"). The rest is empty then,
	// but for Loose.
	Problem string `json:"problem,omitempty"`
	// Certificates are in the file's order: the engine shows the first one of its own to clients.
	Certificates []Certificate `json:"certificates,omitempty"`
	Key          *PublicKey    `json:"key,omitempty"` // of the private key
	// Untrusted is, of a server certificate, why the CA file does not vouch for it, whatever the date.
	Untrusted string `json:"untrusted,omitempty"`
	// Loose is what leads to the file and may be changed by others than root; empty: nothing.
	Loose string `json:"loose,omitempty"`
}

// Certificate is what there is to judge of one certificate.
type Certificate struct {
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	Key       PublicKey `json:"key"`
	Signature string    `json:"signature"` // "SHA256-RSA"
	// Root is true when it signed itself: nobody relies on that signature.
	Root   bool   `json:"root,omitempty"`
	SHA256 string `json:"sha256"` // fingerprint of the whole, hex
}

// PublicKey is the public half of a key.
type PublicKey struct {
	Algorithm string `json:"algorithm"` // "RSA", "ECDSA", "Ed25519", …
	Bits      int    `json:"bits"`
	SHA256    string `json:"sha256"` // fingerprint, hex: equal for a key and the certificates that belong to it
}

const (
	maxCredential   = 1 << 20 // bytes of a file
	maxCertificates = 200     // of a file; a bundle of all public CAs has about 150
)

// opened is what a file of TLS holds, before facts are all that is left of it.
type opened struct {
	credential *Credential
	certs      []*x509.Certificate
}

// credentials looks into the files of TLS: a CA, a server certificate and its key, each as found by look.
func (r hostRoot) credentials(ca, cert, key *EngineFile) {
	roots, server := r.certificates(ca), r.certificates(cert)
	r.privateKey(key)
	if len(server.certs) > 0 && len(roots.certs) > 0 {
		server.credential.Untrusted = untrusted(server.certs, roots.certs)
	}
}

// content reads a file of TLS that is there; false: there is none to look into.
func (r hostRoot) content(f *EngineFile) ([]byte, bool) {
	if f.Problem+f.None != "" || f.Resolved == "" {
		return nil, false
	}
	f.TLS = &Credential{}
	for _, name := range append([]string{f.Resolved}, f.Links...) {
		if f.TLS.Loose == "" {
			f.TLS.Loose = r.loose(path.Dir(name))
		}
	}
	file, err := r.statFile(f.Resolved)
	if err == nil && file.Type != "" {
		err = fmt.Errorf("it is a %s and no file", file.Type)
	}
	var data []byte
	if err == nil {
		data, err = readLimited(r.join(f.Resolved), maxCredential)
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.TLS.Problem = "it may not be read; run docker-harden as root"
	case err != nil:
		f.TLS.Problem = "it cannot be read: " + cause(err).Error()
	}
	return data, err == nil
}

// certificates reads the certificates of a file as the engine does: what is none is passed over.
func (r hostRoot) certificates(f *EngineFile) opened {
	data, ok := r.content(f)
	if !ok {
		return opened{}
	}
	o := opened{credential: f.TLS}
	defer clear(data) // there may be a key in it too
	broken := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			clear(block.Bytes)
			continue
		}
		if len(o.certs) == maxCertificates {
			o.credential.Problem = fmt.Sprintf("it holds more than %d certificates", maxCertificates)
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			broken++
			continue
		}
		o.certs = append(o.certs, cert)
		o.credential.Certificates = append(o.credential.Certificates, certificateOf(cert))
	}
	switch {
	case broken > 0 && (len(o.certs) == 0 || f.Role == RoleTLSCert):
		o.credential.Problem = "a certificate in it cannot be read: it is damaged"
	case len(o.certs) == 0:
		o.credential.Problem = "it holds no certificate in PEM form"
	}
	if o.credential.Problem != "" {
		o.certs, o.credential.Certificates = nil, nil
	}
	return o
}

func certificateOf(c *x509.Certificate) Certificate {
	sum := sha256.Sum256(c.Raw)
	key := PublicKey{Algorithm: c.PublicKeyAlgorithm.String()}
	if known := publicKey(c.PublicKey); known != nil {
		key = *known
	}
	return Certificate{
		Subject: c.Subject.String(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Key: key,
		Signature: c.SignatureAlgorithm.String(), Root: string(c.RawIssuer) == string(c.RawSubject), SHA256: hex.EncodeToString(sum[:]),
	}
}

// privateKey reads a key, keeps what its public half shows, and forgets the rest. No error of a parser is
// passed on: it could quote what it read.
func (r hostRoot) privateKey(f *EngineFile) {
	data, ok := r.content(f)
	if !ok {
		return
	}
	defer clear(data)
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY") {
			continue
		}
		defer clear(block.Bytes)
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			f.TLS.Problem = "its key is encrypted with a password, and the engine cannot ask for one"
			return
		}
		if f.TLS.Key = publicHalf(block.Bytes); f.TLS.Key == nil {
			f.TLS.Problem = "its key cannot be read: it is damaged, or of a kind that TLS does not use"
		}
		return
	}
	f.TLS.Problem = "it holds no private key in PEM form"
}

// publicHalf is the public half of a private key, in any of the forms that the engine reads.
func publicHalf(der []byte) *PublicKey {
	var key any
	var err error
	if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
		if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
			if key, err = x509.ParseECPrivateKey(der); err != nil {
				return nil
			}
		}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil
	}
	return publicKey(signer.Public())
}

// publicKey gives the facts of a public key; nil when it is of no kind that is known.
func publicKey(key any) *PublicKey {
	var out PublicKey
	switch k := key.(type) {
	case *rsa.PublicKey:
		out = PublicKey{Algorithm: "RSA", Bits: k.N.BitLen()}
	case *ecdsa.PublicKey:
		out = PublicKey{Algorithm: "ECDSA", Bits: k.Curve.Params().BitSize}
	case ed25519.PublicKey:
		const bits = 256
		out = PublicKey{Algorithm: "Ed25519", Bits: bits}
	default:
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(der)
	out.SHA256 = hex.EncodeToString(sum[:])
	return &out
}

// untrusted says why no CA vouches for a server certificate. Dates are left out of it, for they are judged on
// their own: it is enough that the chain held, or will hold, at some time.
func untrusted(server, roots []*x509.Certificate) string {
	if leaf := server[0].SignatureAlgorithm; leaf == x509.SHA1WithRSA || leaf == x509.ECDSAWithSHA1 || leaf == x509.MD5WithRSA || leaf == x509.MD2WithRSA {
		return "it is signed with an algorithm that nobody accepts any more"
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leaf := server[0]
	times := []time.Time{time.Now(), leaf.NotBefore, leaf.NotAfter}
	for _, ca := range roots {
		options.Roots.AddCert(ca)
		times = append(times, ca.NotBefore, ca.NotAfter)
	}
	for _, more := range server[1:] {
		options.Intermediates.AddCert(more)
		times = append(times, more.NotBefore, more.NotAfter)
	}
	var why error
	for _, options.CurrentTime = range times {
		_, err := leaf.Verify(options)
		if err == nil {
			return ""
		}
		var invalid x509.CertificateInvalidError
		if why == nil || errors.As(why, &invalid) && invalid.Reason == x509.Expired {
			why = err // what is said of dates is not what is asked
		}
	}
	return trustText(why)
}

// trustText puts into words why a certificate does not verify, without quoting names out of it.
func trustText(err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "no CA of that file signed it"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "it is not made for servers (its extended key usage lacks serverAuth)"
	case errors.As(err, &invalid) && invalid.Reason == x509.NotAuthorizedToSign:
		return "what signed it is marked as no CA"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "there was no day on which it and the CA were valid together"
	}
	return "it does not verify against that CA (openssl verify says more)"
}
