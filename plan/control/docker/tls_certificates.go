package docker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// usualDays is how long before its end a certificate is a failure: renewing one takes a restart of the engine.
const usualDays int64 = 30

func tlsCertificates() control.Control {
	return control.Control{
		ID:    "docker/tls-certificates",
		Title: "The certificates and the key of the engine's TLS are valid, strong, and belong together",
		Why: "Spoofing and denial of service: with a weak or foreign certificate somebody else can pose as the engine; with one that has expired nobody reaches it, " +
			"and people learn to turn the check off.",
		Risk: "Nothing is changed: a new certificate needs the CA, and clients that know the CA.",
		Fix: "By hand: renew what the finding names, put it in the same place with the same owner and mode, and restart the engine, " +
			"which reads these files when it starts. The key is read to compare its public half, and nothing else of it is kept.",
		Refs: map[string]string{
			"cis-docker-1.2.0": "2.6", "cis-docker-1.6.0": "2.7", "cis-docker-1.8.0": "2.8", "stride": "S,D",
		},
		Class:    control.Reported,
		Verified: "the files of daemon.json and flags themselves, parsed: dates, keys, signatures, chain to the CA",
		Severity: plan.RiskMedium,
		Params: []profile.Param{
			{Name: "days", Type: profile.TypeInt, Default: usualDays, Min: 0, Max: 3650, Doc: "a certificate that ends within so many days fails"},
			{
				Name: "other-ca", Type: profile.TypeBool, Default: false,
				Doc: "clients know the server certificate by another CA than tlscacert, with which the engine knows its clients",
			},
		},
		Host: judgeCertificates,
	}
}

// defect is what is wrong with a file of TLS, and what a person does about it.
type defect struct{ what, todo string }

// credential is a file of TLS and what is wrong with it.
type credential struct {
	inventory.EngineFile
	good     string // what is so where nothing is wrong
	defects  []defect
	evidence []plan.Evidence
}

func judgeCertificates(h *inventory.Host, p profile.Params) []plan.Finding {
	if away, ok := filesAway(h); ok {
		return []plan.Finding{away}
	}
	set := credentialsFound(h)
	set.days, set.otherCA = int(p.Int("days")), p.Bool("other-ca")
	verified, on := tlsOn(h)
	if !on && set.ca.Resolved+set.cert.Resolved+set.key.Resolved == "" && set.ca.Problem+set.cert.Problem+set.key.Problem == "" {
		return []plan.Finding{daemonVerdict(plan.NotApplicable, "TLS is not configured")}
	}
	var out []plan.Finding
	var missing, unknown []string
	for _, c := range set.judged() {
		needed := on && (verified || c.Role != inventory.RoleTLSCA)
		switch {
		case c.Problem != "":
			unknown = append(unknown, fmt.Sprintf("%s could not be looked at: %s", orWord(c.Path, "a file of TLS"), c.Problem))
		case c.None != "" && needed:
			missing = append(missing, c.None)
		case c.None == "" && c.TLS == nil:
			unknown = append(unknown, orWord(c.Path, "a file of TLS")+" was not looked into")
		case c.None == "":
			out = append(out, c.finding())
		}
	}
	switch {
	case len(missing) > 0:
		f := daemonVerdict(plan.Fail, "TLS is on, and %s", strings.Join(missing, ", and "))
		f.Reason = plan.NeedsPolicy
		f.Blocked = "the engine does not start again without: put the file there, or name it with tlscacert, tlscert or tlskey"
		out = append(out, f)
	case len(unknown) > 0:
		out = append(out, daemonVerdict(plan.Unknown, "%s", strings.Join(unknown, "; ")))
	case len(out) == 0:
		out = append(out, daemonVerdict(plan.NotApplicable, "TLS is not configured"))
	}
	return out
}

// tlsOn reports whether the next start turns TLS on, and whether clients then need a certificate.
func tlsOn(h *inventory.Host) (verified, on bool) {
	isSet := func(name string) bool {
		return isBool(true)(daemonKey{name: name, absent: json.RawMessage("false")}.configured(h).value)
	}
	verified = isSet("tlsverify")
	return verified, verified || isSet("tls")
}

// finding is the verdict on one file, with everything that is wrong with it.
func (c credential) finding() plan.Finding {
	f := plan.Finding{Resource: plan.File(c.Resolved), Status: plan.Pass, Evidence: c.evidence}
	if len(c.defects) == 0 {
		f.Message = c.good
		return f
	}
	var what, todo []string
	for _, d := range c.defects {
		what = append(what, d.what)
		if !slices.Contains(todo, d.todo) {
			todo = append(todo, d.todo)
		}
	}
	f.Status, f.Message, f.Reason = plan.Fail, strings.Join(what, "; "), plan.NeedsPolicy
	f.Blocked = strings.Join(todo, "; ")
	return f
}

// credentialSet are the three files, and by what they are judged.
type credentialSet struct {
	ca, cert, key inventory.EngineFile
	now           time.Time
	days          int
	otherCA       bool
}

// credentialsFound are the three files of a host.
func credentialsFound(h *inventory.Host) credentialSet {
	all := map[inventory.FileRole]inventory.EngineFile{}
	for _, f := range h.EngineFiles {
		all[f.Role] = f
	}
	return credentialSet{ca: all[inventory.RoleTLSCA], cert: all[inventory.RoleTLSCert], key: all[inventory.RoleTLSKey], now: h.Taken}
}

// judged are the files, each path once: one file can hold a certificate and its key.
func (s credentialSet) judged() []credential {
	var out []credential
	for _, c := range []credential{s.judgeCA(), s.judgeCert(), s.judgeKey()} {
		i := slices.IndexFunc(out, func(have credential) bool { return have.Resolved != "" && have.Resolved == c.Resolved })
		if i < 0 {
			out = append(out, c)
			continue
		}
		out[i].good += "; " + c.good
		for _, d := range c.defects {
			if !slices.Contains(out[i].defects, d) {
				out[i].defects = append(out[i].defects, d)
			}
		}
		out[i].evidence = append(out[i].evidence, c.evidence...)
	}
	return out
}

// usable begins a judgement: what holds for all three files. false: there is nothing more to judge.
func usable(f inventory.EngineFile, todo string) (credential, bool) {
	c := credential{EngineFile: f}
	if f.TLS == nil {
		return c, false
	}
	if f.TLS.Loose != "" {
		c.add(fmt.Sprintf("others than root may change %s, which leads to it", f.TLS.Loose), "make %s root's alone (chown root, chmod go-w)", f.TLS.Loose)
	}
	if f.TLS.Problem != "" {
		c.add(f.TLS.Problem, "%s", todo)
	}
	return c, f.TLS.Problem == ""
}

func (c *credential) add(what, todo string, args ...any) {
	c.defects = append(c.defects, defect{what, fmt.Sprintf(todo, args...)})
}

// judgeCA judges the CA by whose word the engine lets clients in. Of several the one that ends last counts for
// the dates; a weak one lets in whoever breaks it, as long as it is valid.
func (s credentialSet) judgeCA() credential {
	c, ok := usable(s.ca, "put the certificate of the CA there, in PEM form")
	if !ok {
		return c
	}
	c.good = "the CA is valid and strong"
	last := slices.MaxFunc(s.ca.TLS.Certificates, func(a, b inventory.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	c.dates(s, last, "make a new CA certificate, give it to clients and engine, and restart the engine")
	for _, ca := range s.ca.TLS.Certificates {
		if ca.NotAfter.After(s.now) {
			c.strength(ca, "make a new CA with an RSA key of 2048 bits or more, or ECDSA with 256, and SHA-256; sign all certificates anew, and restart the engine")
		}
	}
	return c
}

func (s credentialSet) judgeCert() credential {
	const renew = "make a new server certificate, signed by the CA, with extended key usage serverAuth (RSA of 2048 bits or more, or ECDSA with 256; SHA-256), put it there and restart the engine"
	c, ok := usable(s.cert, "put the server certificate there, in PEM form, with those between it and the CA behind it")
	if !ok {
		return c
	}
	c.good = "it is valid and strong"
	if len(certificatesIn(s.ca)) > 0 && s.cert.TLS.Untrusted == "" {
		c.good += ", and the CA vouches for it"
	}
	leaf := s.cert.TLS.Certificates[0]
	c.dates(s, leaf, renew)
	c.strength(leaf, renew)
	if why := s.cert.TLS.Untrusted; why != "" && !s.otherCA {
		c.add(fmt.Sprintf("it does not hold against %s: %s", s.ca.Resolved, why),
			"%s; when clients know it by another CA, say so: %s", renew, answerHost("docker/tls-certificates", "other-ca: true"))
	}
	return c
}

func (s credentialSet) judgeKey() credential {
	c, ok := usable(s.key, "put the key of the server certificate there, without a password, in PEM form, mode 0400")
	if !ok {
		return c
	}
	key := *s.key.TLS.Key
	c.good = "it is strong, and its public half was looked at"
	c.evidence = append(c.evidence, evidence("key", "public half", "%s, %d bits", key.Algorithm, key.Bits))
	if weak := weakKey(key); weak != "" {
		c.add(weak, "make a new key and have a new certificate signed for it, then restart the engine")
	}
	certs := certificatesIn(s.cert)
	switch {
	case len(certs) == 0:
	case certs[0].Key.SHA256 == key.SHA256:
		c.good = "it is strong and belongs to the certificate"
	default:
		c.add("it does not belong to the certificate in "+s.cert.Resolved, "put the key there that the certificate was made for; the engine does not start with this one")
	}
	return c
}

func certificatesIn(f inventory.EngineFile) []inventory.Certificate {
	if f.TLS == nil {
		return nil
	}
	return f.TLS.Certificates
}

const hoursOfDay = 24

// dates judges when a certificate is valid.
func (c *credential) dates(s credentialSet, cert inventory.Certificate, renew string) {
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	c.evidence = append(c.evidence,
		evidence("certificate", cert.Subject, "%s to %s, sha256 %s", day(cert.NotBefore), day(cert.NotAfter), cert.SHA256))
	left := cert.NotAfter.Sub(s.now)
	switch {
	case s.now.Before(cert.NotBefore):
		c.add("it is not valid before "+cert.NotBefore.Format(time.RFC3339), "look whether this host's clock is right; else wait, or %s", renew)
	case left < 0:
		c.add("it expired on "+day(cert.NotAfter), "%s", renew)
	case left < time.Duration(s.days)*hoursOfDay*time.Hour:
		c.add(fmt.Sprintf("it expires on %s, in fewer than %d days", day(cert.NotAfter), s.days), "%s", renew)
	}
}

// strength judges the key in a certificate and its signature, on which nobody relies where it is a root's own.
func (c *credential) strength(cert inventory.Certificate, renew string) {
	if weak := weakKey(cert.Key); weak != "" {
		c.add(weak, "%s", renew)
	}
	if old := strings.Contains(cert.Signature, "SHA1") || strings.Contains(cert.Signature, "MD"); old && !cert.Root {
		c.add("it is signed with "+cert.Signature, "%s", renew)
	}
}

// weakKey says why a key is too weak; empty when it is not.
func weakKey(key inventory.PublicKey) string {
	least := map[string]int{"RSA": 2048, "ECDSA": 256, "Ed25519": 256}[key.Algorithm]
	switch {
	case least == 0:
		return fmt.Sprintf("its key is of the kind %s, which TLS does not use any more", key.Algorithm)
	case key.Bits < least:
		return fmt.Sprintf("its key is %s with %d bits, fewer than %d", key.Algorithm, key.Bits, least)
	}
	return ""
}
