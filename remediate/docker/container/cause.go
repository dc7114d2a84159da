package container

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// GateError is a new container that did not prove itself. The fields are safe to print.
type GateError struct {
	Container string // name
	What      string // "exited with code 1 after 0.3 s"
	LogLine   string // the line of its log that says most; may be empty
	// Capability is the dropped capability that the log points to, without CAP_; may be empty.
	Capability string
	Cause      string // likely cause as one sentence, may be empty
	Next       string // what to do, may be empty
}

// Error says all of it in one line.
func (e *GateError) Error() string {
	text := fmt.Sprintf("container %s %s", e.Container, e.What)
	if e.LogLine != "" {
		text += fmt.Sprintf("; its log says %q", e.LogLine)
	}
	if e.Cause != "" {
		text += "; likely cause: " + e.Cause
	}
	return text
}

const (
	logLines    = 200
	needsRights = `operation not permitted|permission denied|eperm|eacces|not allowed`
)

// complaint finds log lines that speak of missing rights or resources.
var complaint = regexp.MustCompile(`(?i)` + needsRights + `|read-only file system|erofs|resource temporarily unavailable|cannot fork|can't fork|out of memory|cannot allocate memory|effective uid is not 0|must be s(et)?uid`)

// complaints are the lines of a container's log that complain, fit to print.
func (c *state) complaints(lines [][]byte) []string {
	var out []string
	for _, line := range lines {
		if complaint.Match(line) {
			out = append(out, c.printable(string(line)))
		}
	}
	return out
}

// tells map words of a complaint to the capability that allows what was refused. The order matters:
// the general ones come last.
var tells = []struct {
	words *regexp.Regexp
	cap   string
}{
	{regexp.MustCompile(`(?i)\bbind|listen`), "NET_BIND_SERVICE"},
	{regexp.MustCompile(`(?i)chown|ownership|owner of`), "CHOWN"},
	{regexp.MustCompile(`(?i)setgid|setgroups|initgroups|setresgid|setegid|group id|set g(id|roups)`), "SETGID"},
	{regexp.MustCompile(`(?i)setuid|setresuid|seteuid|setreuid|user id|set uid|switching? (to )?user|gosu|su-exec|setpriv`), "SETUID"},
	{regexp.MustCompile(`(?i)raw socket|sock_raw|\bping\b|packet socket|af_packet|\bsocket`), "NET_RAW"},
	{regexp.MustCompile(`(?i)mknod`), "MKNOD"},
	{regexp.MustCompile(`(?i)audit`), "AUDIT_WRITE"},
	{regexp.MustCompile(`(?i)setcap|file capabilit`), "SETFCAP"},
	{regexp.MustCompile(`(?i)chroot`), "SYS_CHROOT"},
	{regexp.MustCompile(`(?i)\bkill`), "KILL"},
	{regexp.MustCompile(`(?i)chmod|utime|changing permissions|setting times|\btouch`), "FOWNER"},
	{regexp.MustCompile(`(?i)prctl|capset|bounding set`), "SETPCAP"},
	{regexp.MustCompile(`(?i)permission denied`), "DAC_OVERRIDE"},
}

// capabilityFor guesses which of the dropped capabilities a complaint is about.
func capabilityFor(line string, dropped []string) string {
	for _, t := range tells {
		if t.words.MatchString(line) && slices.Contains(dropped, t.cap) {
			return t.cap
		}
	}
	return ""
}

// failure words what went wrong with the new container and looks for the reason in its log.
func (x *swap) failure(ctx context.Context, what string) error {
	e := &GateError{Container: x.rec.Name, What: what}
	lines := x.a.logTail(ctx, x.new, logLines)
	said := x.newComplaints(ctx)
	if len(lines) > 0 {
		e.LogLine = x.new.printable(string(lines[len(lines)-1]))
	}
	x.explain(e, said)
	return e
}

// startFailure words a start that the engine refused.
func (x *swap) startFailure(err error) error {
	var refusal *apiError
	if !errors.As(err, &refusal) {
		return err
	}
	e := &GateError{Container: x.rec.Name, What: "did not start: " + refusal.Message}
	x.explain(e, []string{refusal.Message})
	return e
}

// execRefused is how the kernel refuses a program with file capabilities that it may not have.
var execRefused = regexp.MustCompile(`(?i)\bexec\b.*operation not permitted`)

// needs names the capability that is missing.
func (e *GateError) needs(name string) {
	e.Capability = name
	e.Cause = "it needs capability " + name + ", which this step drops"
	e.Next = "keep " + name + " for this container in the profile, then plan again"
}

// explain looks for the likely cause: the newest complaint that a planned change accounts for.
func (x *swap) explain(e *GateError, said []string) {
	if strings.HasSuffix(e.What, nowRoot) {
		for _, name := range []string{"SETUID", "SETGID"} {
			if slices.Contains(x.dropped(), name) {
				e.needs(name)
				return
			}
		}
	}
	for i := len(said) - 1; i >= 0; i-- {
		line := said[i]
		if execRefused.MatchString(line) && len(x.dropped()) > 0 {
			e.LogLine, e.Cause = line, "its program may carry file capabilities that this step drops: "+strings.Join(x.dropped(), ", ")
			e.Next = "keep the capability its program needs for this container in the profile, then plan again"
			return
		}
		if name := capabilityFor(line, x.dropped()); name != "" {
			e.LogLine = line
			e.needs(name)
			return
		}
		if cause, next := x.otherCause(line); cause != "" {
			e.LogLine, e.Cause, e.Next = line, cause, next
			return
		}
	}
	switch {
	case x.new != nil && x.new.State.OOMKilled && x.changes.has("Memory"):
		e.Cause, e.Next = "the new memory limit is too low", "raise the memory limit for this container in the profile, then plan again"
	case len(said) > 0:
		e.LogLine = said[len(said)-1]
	case x.checkedAnew() && strings.Contains(e.What, "healthy"):
		e.Cause, e.Next = "the check of the profile does not pass in it", "correct test of docker/healthcheck for this container in the profile, then plan again"
	case x.changes.secrets():
		e.Cause = "it needs a variable in its environment whose value is in a file now"
		e.Next = "take that variable out of file of docker/secrets-in-containers for this container in the profile, then plan again"
	}
}

// otherCause looks for planned changes besides capabilities that account for a complaint.
func (x *swap) otherCause(line string) (cause, next string) {
	line = strings.ToLower(line)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) })
	}
	switch {
	case x.changes.has("ReadonlyRootfs") && has("read-only file system", "erofs"):
		return "its root file system is read-only now and it writes there",
			"give it a tmpfs or a volume for that path, or leave its root file system writable in the profile, then plan again"
	case x.changes.mounts(plan.MountWritable) && has("read-only file system", "erofs"):
		return "a directory of the host that it writes to is mounted read-only now",
			"list that directory in needed of docker/sensitive-mounts for this container in the profile, then plan again"
	case x.changes.has("Privileged") && has("operation not permitted", "permission denied", "eperm", "eacces", "no such device"):
		return "it uses a part of its privilege that the answer does not name",
			"add the capability or device to the answer of docker/privileged for this container in the profile, then plan again"
	case slices.Contains(x.changes.paths(), "Config.User") && has(strings.Split(needsRights, "|")...):
		return "the user that it runs as now may not do that, and root could",
			"give that user the files it needs, or take user of docker/container-user out of the profile, then plan again"
	case x.changes.has("PidsLimit") && has("resource temporarily unavailable", "fork"):
		return "the new limit of processes is too low", "raise the limit of processes for this container in the profile, then plan again"
	case x.changes.has("Memory") && has("out of memory", "cannot allocate memory"):
		return "the new memory limit is too low", "raise the memory limit for this container in the profile, then plan again"
	case x.changes.has("SecurityOpt") && has("effective uid is not 0", "must be setuid", "must be suid"):
		return "it uses a setuid program, which no-new-privileges stops",
			"except this container from no-new-privileges in the profile (docker-harden exception add), then plan again"
	case x.changes.has("SecurityOpt") && has("operation not permitted") && x.old.unfiltered():
		return "it makes a system call that the engine's filter refuses", "except this container from the system call filter in the profile (docker-harden exception add), then plan again"
	}
	return "", ""
}

// dropped are the capabilities that the old container's processes could have and the new one's cannot.
func (x *swap) dropped() []string {
	if x.before.proc == nil {
		return nil
	}
	return names(lost(x.before.proc, x.new))
}

func lost(before *inventory.Proc, c *state) uint64 {
	return before.Init.CapBnd & mask(c.HostConfig.CapDrop) &^ mask(c.HostConfig.CapAdd)
}
