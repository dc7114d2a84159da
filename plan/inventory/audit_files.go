package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"docker-harden/plan"
)

// Places of the audit's own files.
const (
	auditRulesDir = "/etc/audit/rules.d"
	auditRules    = "/etc/audit/audit.rules" // made of rules.d where augenrules is
)

// auditTools finds a program of the audit package where packages put it.
func (r hostRoot) auditTool(name string) string {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"} {
		file := path.Join(dir, name)
		real, _, err := r.resolve(file)
		if err != nil {
			continue
		}
		if info, err := os.Stat(r.join(real)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// audit looks at the kernel's audit, its rules files, and the paths it should watch.
func (c *collector) audit() {
	a := &Audit{Auditctl: c.root.auditTool("auditctl"), Augenrules: c.root.auditTool("augenrules")}
	c.host.Audit = a
	a.Places = c.root.auditPlaces(c.host)
	if a.take(c.kernelAudit, c.kernelAuditErr); a.Auditctl == "" {
		return // whoever loads rules here, it is not from these files
	}
	a.Held = c.root.auditHeld()
	a.readFiles(c.root)
	file, _, err := c.root.readConfig(AuditRulesFile)
	if err != nil {
		a.FileProblem = explain(err).Error()
	}
	c.host.Files[AuditRulesFile] = file
}

// take keeps what concerns the places.
func (a *Audit) take(kernel KernelAudit, err error) {
	if a.Absent = errors.Is(err, ErrNoAudit); err != nil {
		a.Problem = err.Error()
		return
	}
	a.Enabled = kernel.Enabled
	for _, wire := range kernel.Rules {
		if rule, ok := DecodeAuditRule(wire); ok && a.has(rule.Path) {
			a.Loaded = append(a.Loaded, rule)
		}
		if silences(wire) {
			a.Silenced = auditLineOf(wire)
		}
	}
}

func (a *Audit) has(path string) bool {
	return slices.ContainsFunc(a.Places, func(p AuditPlace) bool { return p.Path == path })
}

// readFiles reads the rules that the next boot loads.
func (a *Audit) readFiles(root hostRoot) {
	files := []string{auditRules}
	if a.Augenrules != "" {
		var err error
		if files, err = root.ruleFiles(); err != nil {
			a.FileProblem = err.Error()
			return
		}
	}
	for _, name := range files {
		data, err := root.readFile(name, maxConfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			a.FileProblem = explain(fmt.Errorf("cannot read %s: %w", name, cause(err))).Error()
			continue
		}
		for line := range strings.Lines(string(data)) {
			if rule, ok := parseAuditLine(line); ok && a.has(rule.Path) {
				rule.File = name
				a.Lasting = append(a.Lasting, rule)
			}
		}
	}
}

// ruleFiles are the files that augenrules puts together, in its order.
func (r hostRoot) ruleFiles() ([]string, error) {
	f := &fileFinder{root: r, files: map[string]File{}}
	var out []string
	for _, name := range f.list("", auditRulesDir) {
		if strings.HasSuffix(name, ".rules") {
			out = append(out, path.Join(auditRulesDir, name))
		}
	}
	if len(f.found) > 0 {
		return nil, errors.New(f.found[0].Problem)
	}
	return out, nil
}

// auditHeld says why the rules file of this tool must not be written.
func (r hostRoot) auditHeld() string {
	dir, links, err := r.resolve(auditRulesDir)
	if err != nil {
		return err.Error()
	}
	info, err := os.Lstat(r.join(dir))
	switch {
	case err != nil || !info.IsDir():
		return "there is no directory " + auditRulesDir
	case len(links) > 0:
		return fmt.Sprintf("%s is reached through the link %s", auditRulesDir, links[0])
	case r.loose(auditRulesDir) != "":
		return fmt.Sprintf("others than root may change %s: make it root's alone, then plan again", r.loose(auditRulesDir))
	}
	info, err = os.Lstat(r.join(AuditRulesFile))
	if err == nil && !info.Mode().IsRegular() {
		return AuditRulesFile + " is no regular file"
	}
	if err == nil {
		return r.held(EngineFile{Resolved: AuditRulesFile})
	}
	return r.held(EngineFile{Resolved: auditRulesDir})
}

// auditBasis is the basis of the rules file; false where it was not looked at.
func (h *Host) auditBasis() (plan.Basis, bool) {
	file, ok := h.Files[AuditRulesFile]
	if !ok || h.Audit == nil {
		return nil, false
	}
	return h.Audit.basis(file), true
}
