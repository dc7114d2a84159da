package docker

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// The parameters that name the files of TLS.
const (
	paramCA   = "ca"
	paramCert = "cert"
	paramKey  = "key"
)

// tlsFile is one of the three files of TLS: the parameter and the key of daemon.json that name it.
type tlsFile struct {
	param, key string
	role       inventory.FileRole
	path       string // as the profile names it; empty: it does not
}

// GivenTLS are the files of TLS that a profile means to give the engine, for the inventory to look at.
func GivenTLS(p *profile.Profile) inventory.TLSFiles {
	one := tlsOnTCP()
	params, on := p.ParamsFor(one.ID, "", one.Params)
	if !on || params.Text("answer") != answerTLS {
		return inventory.TLSFiles{}
	}
	return inventory.TLSFiles{CA: params.Text(paramCA), Cert: params.Text(paramCert), Key: params.Text(paramKey)}
}

func givenTLS(p profile.Params) []tlsFile {
	files := []tlsFile{
		{param: paramCA, key: "tlscacert", role: inventory.RoleTLSCA},
		{param: paramCert, key: "tlscert", role: inventory.RoleTLSCert},
		{param: paramKey, key: "tlskey", role: inventory.RoleTLSKey},
	}
	for i, f := range files {
		files[i].path = p.Text(f.param)
	}
	return files
}

// exampleTLS is the answer tls with the places where such files usually are.
func exampleTLS() string {
	words := []string{"answer: " + answerTLS}
	for _, f := range givenTLS(nil) {
		words = append(words, fmt.Sprintf("%s: /etc/docker/tls/%[1]s.pem", f.param))
	}
	return strings.Join(words, ", ")
}

// verify turns on tlsverify with the files that the profile names, else those that are configured, once they were
// judged good.
func (o openPort) verify(f plan.Finding, files []tlsFile) plan.Finding {
	if o.verified.flag {
		return o.byHand(f, "tlsverify is given by the flag --tlsverify, which daemon.json cannot take back: take it out of the engine's unit, then plan again")
	}
	var changes []plan.Change
	for _, file := range files {
		change, why := o.names(file)
		if why != "" {
			return o.byHand(f, why)
		}
		changes = append(changes, change...)
	}
	if faults := o.faults(files); len(faults) > 0 {
		return o.byHand(f, fmt.Sprintf("TLS cannot be turned on: %s. Mend that, then plan again. The three files are those of the profile, else those that daemon.json names.%s%s",
			strings.Join(faults, "; "), answerMark, answerHost(tlsOnTCP().ID, exampleTLS())))
	}
	f.Changes = append(changes, o.change("tlsverify", raw(true)))
	f.Risk = f.Risk.Raise(plan.RiskMedium, fmt.Sprintf("clients on %s need a certificate signed by the CA, and speak TLS", list(o.open)))
	return f
}

// names are the changes by which daemon.json names a file of the profile, or why it cannot.
func (o openPort) names(file tlsFile) ([]plan.Change, string) {
	if file.path == "" {
		return nil, ""
	}
	flags, to := o.host.Daemon.Flags[file.key], path.Clean(file.path)
	switch {
	case !path.IsAbs(file.path):
		return nil, fmt.Sprintf("%s: %q in the profile is no absolute path: the engine would look for it where it happens to run", file.param, file.path)
	case len(flags) > 0 && flags[len(flags)-1] != to:
		return nil, fmt.Sprintf("the profile says %s: %s, but %s is given by the flag %s (%s), and the engine does not start when daemon.json names it too: "+
			"take the flag out of the engine's unit and restart the engine, or leave %s out of the profile; then plan again",
			file.param, to, file.key, control.FlagName(file.key), plainName(flags[len(flags)-1]), file.param)
	case len(flags) > 0, sameValue(o.host.Daemon.Keys[file.key], raw(to)):
		return nil, ""
	}
	return []plan.Change{o.change(file.key, raw(to))}, ""
}

func (o openPort) change(key string, to json.RawMessage) plan.Change {
	from := o.host.Daemon.Keys[key]
	if from == nil {
		from = json.RawMessage("null")
	}
	return plan.Change{Path: key, From: from, To: to, Kind: plan.KindRestart, Reversibility: plan.Exact}
}

// faults are what is wrong with the three files, each in words of its own; none: they can be used.
func (o openPort) faults(files []tlsFile) []string {
	set := credentialsFound(o.host)
	named := slices.ContainsFunc(files, func(f tlsFile) bool { return f.path != "" })
	if named && len(o.host.GivenTLS) != len(files) {
		return []string{"the files that the profile names were not looked at: a snapshot does not show them, so plan on the host itself"}
	}
	if named {
		set.ca, set.cert, set.key = o.host.GivenTLS[0], o.host.GivenTLS[1], o.host.GivenTLS[2]
	}
	var out []string
	for _, c := range set.judged() {
		switch {
		case c.Problem != "":
			out = append(out, fmt.Sprintf("%s could not be looked at: %s", orWord(plainName(c.Path), "a file of TLS"), c.Problem))
		case c.None != "" || c.TLS == nil:
			out = append(out, fmt.Sprintf("%s (%s)", orWord(c.None, "it was not looked into"), roleName(c.Role)))
		}
		for _, d := range c.defects {
			out = append(out, fmt.Sprintf("%s is of no use: %s", c.Resolved, d.what))
		}
	}
	for i, f := range files {
		if named && f.path != "" {
			out = append(out, o.access(o.host.GivenTLS[i])...)
		}
	}
	return out
}

// access is what is wrong with the owner and the mode of a file. The controls of these look at files that the
// engine uses; one that is given to it has to be in order before.
func (o openPort) access(f inventory.EngineFile) []string {
	is := o.host.Files[f.Resolved]
	if f.Problem+f.None != "" || !is.Exists {
		return nil
	}
	var out []string
	if owner := ownerText(is); owner != rootOwner {
		out = append(out, fmt.Sprintf("%s belongs to %s and not to root (chown root:root)", f.Resolved, owner))
	}
	most := certificateModes()[0]
	if f.Role == inventory.RoleTLSKey {
		most = keyModes()[0]
	}
	if mode := unixMode(is.Mode); mode&^most != 0 {
		out = append(out, fmt.Sprintf("%s has mode %s (chmod %s)", f.Resolved, octal(mode), octal(most)))
	}
	return out
}

func roleName(role inventory.FileRole) string {
	switch role {
	case inventory.RoleTLSCA:
		return "the CA of clients"
	case inventory.RoleTLSCert:
		return "the engine's certificate"
	}
	return "the key of the engine's certificate"
}
