package docker

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// The settings of a file.
const (
	settingOwner = "owner"
	settingMode  = "mode"
)

const rootOwner = "0:0"

// ownerOf is the control of who owns the files of a row.
func ownerOf(row engineFile) control.Control {
	c := control.Control{
		ID:       "docker/" + row.id + "-owner",
		Title:    row.name + " belongs to root",
		Why:      row.owner.why,
		Risk:     row.owner.risk,
		Fix:      "chown root:root of the file itself, not of a link to it. Undone by the old owner.",
		Refs:     row.owner.refs(),
		Class:    control.Automatic,
		Verified: "owner and group of the file itself (stat), links followed",
		Severity: fileSeverity,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			return judgeFiles(h, row, judgeOwner)
		},
	}
	if row.sockets() {
		c.Title, c.Fix = row.name+" belongs to root and the group docker at most", socketFix
		c.Class, c.Verified = control.Reported, "owner and group of the socket (stat), and of the next one: "+socketMakers
		c.Host = func(h *inventory.Host, _ profile.Params) []plan.Finding { return judgeFiles(h, row, judgeSocketOwner) }
		if row.id == containerdSock().id {
			c.Title = row.name + " belongs to root"
		}
	}
	if row.id == dockerSock().id {
		c.Fix, c.Class = engineSocketFix, control.Automatic
	}
	return c
}

// modeOf is the control of the modes of the files of a row.
func modeOf(row engineFile) control.Control {
	most := octal(row.wants[len(row.wants)-1].modes[0])
	c := control.Control{
		ID:       "docker/" + row.id + "-mode",
		Title:    fmt.Sprintf("%s has mode %s or narrower", row.name, most),
		Why:      row.mode.why,
		Risk:     row.mode.risk,
		Fix:      fmt.Sprintf("chmod that takes away what goes beyond %s, and nothing else. Undone by the old mode.", most),
		Refs:     row.mode.refs(),
		Class:    control.Automatic,
		Verified: "mode of the file itself (stat), links followed",
		Severity: fileSeverity,
		Host: func(h *inventory.Host, _ profile.Params) []plan.Finding {
			return judgeFiles(h, row, judgeMode)
		},
	}
	if len(row.wants) > 1 {
		c.Title = row.name + " can be changed by root alone, and its keys read by root alone"
		c.Fix = "chmod that takes away what goes beyond 0755 of directories, 0444 of certificates and 0400 of keys, and nothing else. Undone by the old mode."
	}
	if row.sockets() {
		c.Fix, c.Class, c.Verified = socketFix, control.Reported, "mode of the socket (stat), and of the next one: "+socketMakers
		c.Host = func(h *inventory.Host, _ profile.Params) []plan.Finding { return judgeFiles(h, row, judgeSocketMode) }
	}
	if row.id == dockerSock().id {
		c.Fix, c.Class = engineSocketFix, control.Automatic
	}
	return c
}

// seenFile is a file of a row as it was found.
type seenFile struct {
	inventory.EngineFile
	is inventory.File
	// modes are those that its role allows, widest first; strictest those of all roles that it has: one
	// file can hold a certificate and its key.
	modes, strictest []uint32
	// home, for a file that may lie anywhere, is the directory of the engine's own files.
	home string
}

// filesOf are the files of a row, and the roles of which there is none.
func filesOf(h *inventory.Host, row engineFile) []seenFile {
	all := append(slices.Clip(h.EngineFiles), daemonJSONFile(h))
	strictest := map[string][]uint32{}
	home := configHome
	for _, other := range table() {
		for _, want := range other.wants {
			for _, f := range all {
				have, known := strictest[f.Resolved]
				if f.Role == want.role && (!known || len(want.modes) < len(have) || want.modes[0] < have[0]) {
					strictest[f.Resolved] = want.modes
				}
				if f.Role == inventory.RoleConfigDir && f.Resolved != "" {
					home = f.Resolved
				}
			}
		}
	}
	var out []seenFile
	for _, want := range row.wants {
		for _, f := range all {
			if f.Role != want.role {
				continue
			}
			seen := seenFile{EngineFile: f, is: h.Files[f.Resolved], modes: want.modes, strictest: strictest[f.Resolved]}
			if f.Role == roleDaemonJSON && !seen.is.Exists {
				seen.is = h.Daemon.Config
			}
			if slices.Contains(anywhere(), f.Role) {
				seen.home = home
			}
			out = append(out, seen)
		}
	}
	return out
}

// configHome is where the engine's own files are; it may be a link.
const configHome = "/etc/docker"

// anywhere are the roles of files that other programs may use too.
func anywhere() []inventory.FileRole {
	return []inventory.FileRole{
		inventory.RoleRegistryCert, inventory.RoleRegistryKey, inventory.RoleTLSCA, inventory.RoleTLSCert, inventory.RoleTLSKey,
	}
}

// daemonJSONFile is the daemon.json in force, in the form of the other files.
func daemonJSONFile(h *inventory.Host) inventory.EngineFile {
	d := &h.Daemon
	f := inventory.EngineFile{Role: roleDaemonJSON, Path: d.ConfigPath, Links: d.Links, Resolved: orWord(d.Resolved, d.ConfigPath)}
	if h.Files[f.Resolved].Exists || d.Config.Exists {
		return f
	}
	for _, problem := range h.Problems {
		if problem.Subject == f.Resolved || problem.Subject == f.Path {
			f.Problem = problem.Reason
			return f
		}
	}
	f.None = "there is no daemon.json; one made by apply belongs to root and has mode 0644"
	return f
}

// judgeFiles gives the verdicts on the files of a row, or one that says why there are none.
func judgeFiles(h *inventory.Host, row engineFile, judge func(*inventory.Host, seenFile) plan.Finding) []plan.Finding {
	if away, ok := filesAway(h); ok {
		return []plan.Finding{away}
	}
	none := func(s plan.Status, message string) plan.Finding { return daemonVerdict(s, "%s", message) }
	var out []plan.Finding
	for _, f := range filesOf(h, row) {
		switch twice := slices.ContainsFunc(out, func(have plan.Finding) bool { return have.Resource == plan.File(f.Resolved) }); {
		case f.Problem != "":
			out = append(out, none(plan.Unknown, fmt.Sprintf("%s could not be looked at: %s", orWord(f.Path, "a file"), f.Problem)))
		case f.None != "":
			out = append(out, none(plan.NotApplicable, f.None))
		case !twice:
			out = append(out, judgeOne(h, f, judge))
		}
	}
	if len(out) == 0 {
		out = append(out, none(plan.Unknown, "it was not looked for"))
	}
	return out
}

// filesAway is the verdict where the engine's files are out of sight, or nobody's business.
func filesAway(h *inventory.Host) (plan.Finding, bool) {
	other, elsewhere := otherProduct(h)
	switch {
	case elsewhere:
		return other, true
	case !h.Engine.Local:
		return daemonVerdict(plan.Unknown, "the engine's files are on another machine: run docker-harden there"), true
	case h.Engine.Rootless:
		return daemonVerdict(plan.NotApplicable, "the engine is rootless: its files belong to its user"), true
	}
	return plan.Finding{}, false
}

func orWord(name, word string) string {
	if name == "" {
		return word
	}
	return name
}

// judgeOne judges a file that is what it should be.
func judgeOne(h *inventory.Host, f seenFile, judge func(*inventory.Host, seenFile) plan.Finding) plan.Finding {
	want := ""
	switch f.Role {
	case inventory.RoleConfigDir, inventory.RoleRegistryDir:
		want = inventory.TypeDirectory
	case inventory.RoleEngineSocket, inventory.RoleContainerdSocket:
		want = inventory.TypeSocket
	}
	without := plan.Finding{Resource: plan.File(f.Resolved), Status: plan.NotApplicable}
	switch {
	case !f.is.Exists:
		without.Message = "it does not exist" + f.chain()
		return without
	case f.Resolved == "/dev/null":
		return plan.Finding{Resource: plan.Daemon(), Status: plan.NotApplicable, Message: f.Path + " is masked: a link to /dev/null"}
	case f.is.Type != want:
		without.Status = plan.Unknown
		without.Message = fmt.Sprintf("it is a %s where a %s should be%s", orWord(f.is.Type, "file"), orWord(want, "file"), f.chain())
		return without
	}
	found := judge(h, f)
	found.Resource = plan.File(f.Resolved)
	found.Message += f.chain()
	if f.Held != "" && len(found.Changes) > 0 {
		found.Blocked, found.Changes, found.Risk = f.Held, nil, plan.Risk{}
	}
	return found
}

// chain names the links on the way to a file. That of a socket is the usual /var/run.
func (f seenFile) chain() string {
	switch {
	case len(f.Links) == 0 || f.Path == f.Resolved || f.Socket != nil:
		return ""
	case len(f.Links) == 1 && f.Links[0] == f.Path:
		return fmt.Sprintf(" (%s is a link to it)", f.Path)
	}
	return fmt.Sprintf(" (%s leads here through %s)", f.Path, strings.Join(f.Links, ", "))
}

func judgeOwner(_ *inventory.Host, f seenFile) plan.Finding {
	owner := ownerText(f.is)
	found := accessFinding(settingOwner, owner, "it belongs to "+owner)
	if owner == rootOwner {
		found.Status = plan.Pass
		return found
	}
	found.Changes = []plan.Change{fileChange(settingOwner, owner, rootOwner)}
	return shared(f, found, true)
}

func judgeMode(_ *inventory.Host, f seenFile) plan.Finding {
	mode := unixMode(f.is.Mode)
	found := accessFinding(settingMode, octal(mode), "its mode is "+octal(mode))
	if mode&^f.modes[0] == 0 {
		found.Status = plan.Pass
		return found
	}
	to := narrowed(mode, f.strictest)
	found.Changes = []plan.Change{fileChange(settingMode, octal(mode), octal(to))}
	const reading = 0o044
	return shared(f, found, mode&^to&reading != 0)
}

// shared says of a file outside the engine's own directories that others may use it too, if the change
// takes something from them.
func shared(f seenFile, found plan.Finding, takes bool) plan.Finding {
	outside := f.home != "" && !strings.HasPrefix(f.Resolved, f.home+"/")
	if takes && outside {
		found.Risk = found.Risk.Raise(plan.RiskMedium, fmt.Sprintf(
			"%s lies outside %s: other programs that read it as its owner, through its group or as anybody lose access", f.Resolved, f.home))
	}
	return found
}

func accessFinding(name, value, message string) plan.Finding {
	return plan.Finding{Status: plan.Fail, Message: message, Evidence: []plan.Evidence{evidence(name, "stat", "%s", value)}}
}

func fileChange(path, from, to string) plan.Change {
	return plan.Change{Path: path, From: raw(from), To: raw(to), Kind: plan.KindFile, Reversibility: plan.Exact}
}

// narrowed is a mode without what goes beyond the widest known one. Judges know few modes, so what is
// left becomes the widest of these that gives nobody more than before.
func narrowed(mode uint32, known []uint32) uint32 {
	for _, k := range known {
		if mode&k == k {
			return k
		}
	}
	return mode & known[0]
}

// unixMode is a mode as chmod knows it, with setuid, setgid and sticky.
func unixMode(mode fs.FileMode) uint32 {
	m := uint32(mode.Perm())
	for bit, unix := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			m |= unix
		}
	}
	return m
}

func octal(mode uint32) string { return fmt.Sprintf("%04o", mode) }

func ownerText(f inventory.File) string { return fmt.Sprintf("%d:%d", f.UID, f.GID) }

// ChangesFile reports whether a control of this package asks, or could have asked, for a change of this
// file on this host: the file is one of the engine's, and the change gives it to root or takes away from
// its mode; of the engine's socket also those of its unit. Any other change was not planned by this tool, whatever the plan's digest says.
func ChangesFile(h *inventory.Host, name string, c plan.Change) bool {
	if name == inventory.AuditRulesFile {
		return changesAudit(h, c)
	}
	var from, to string
	if json.Unmarshal(c.From, &from) != nil || json.Unmarshal(c.To, &to) != nil {
		return false
	}
	for _, row := range table() {
		for _, f := range filesOf(h, row) {
			if f.Resolved != name || f.Problem+f.None+f.Held != "" {
				continue
			}
			if row.sockets() {
				if f.wishes(from, to, c) {
					return true
				}
				continue
			}
			if c.Kind != plan.KindFile {
				return false
			}
			if c.Path == settingOwner {
				return to == rootOwner
			}
			was, err1 := strconv.ParseUint(from, 8, 32)
			is, err2 := strconv.ParseUint(to, 8, 32)
			return c.Path == settingMode && err1 == nil && err2 == nil && is == uint64(narrowed(uint32(was), f.strictest))
		}
	}
	return false
}
