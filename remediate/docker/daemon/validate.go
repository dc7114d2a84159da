package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"docker-harden/remediate/host"
)

// ErrNotChecked says that the engine's binary could not judge the file without risk, because it would have to
// read files of root (TLS keys, user namespaces). Nothing is known then: the file is neither accepted nor
// rejected.
var ErrNotChecked = errors.New("configuration could not be checked")

// A RejectedError says that the engine would not start with a configuration, in the engine's own words.
type RejectedError struct {
	Present bool   // the file as it is now is rejected, without any change of ours
	Message string // the engine's, without credentials
}

func (e *RejectedError) Error() string {
	if e.Present {
		return "the engine would not start again with the daemon.json and flags it has now, without any change: " + e.Message
	}
	return "the engine would not start with the changed daemon.json: " + e.Message
}

// validateTimeout is far beyond the half second that an engine needs to read its file: an emulated machine on a host
// with ten times the work that it has processors for took more than 30.
const validateTimeout = 2 * time.Minute

// nobody runs the binary: an engine that is not root can create nothing and start nothing.
const nobody = 65534

// ValidateChange asks the engine's binary whether it would start with a file, before and after a change. The
// present file is judged first: where a restart would fail already, an undo could not bring the engine back.
// A before of nil is a file that does not exist.
func ValidateChange(ctx context.Context, exe string, nextArgv []string, before, after []byte) error {
	if before == nil {
		before = []byte("{}\n")
	}
	err := Validate(ctx, exe, nextArgv, before)
	var rejected *RejectedError
	if errors.As(err, &rejected) {
		rejected.Present = true
	}
	if err != nil {
		return err
	}
	return Validate(ctx, exe, nextArgv, after)
}

// Validate asks the engine's binary whether it would start with the file content doc and the flags of its
// next start. The binary runs as an unprivileged user on a copy in memory: no engine is started and nothing
// is created. Engines from 23.0 have --validate; older ones read and check their configuration before they
// notice that they are not root, and that notice is then the good answer.
//
// The error is a [*RejectedError], wraps [ErrNotChecked], or says why the binary could not be run.
func Validate(ctx context.Context, exe string, nextArgv []string, doc []byte) error {
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	flags := validateFlags(nextArgv)
	out, err := runEngine(ctx, exe, append(flags[:len(flags):len(flags)], "--validate"), doc, nobody)
	if err != nil {
		return err
	}
	switch {
	case out.ok:
		return nil
	case strings.Contains(out.text, "unknown flag: --validate"):
		return validateByStarting(ctx, exe, flags, doc)
	case !needsRoot(out.text):
		return &RejectedError{Message: out.message()}
	case !safeAsRoot(doc, flags):
		return fmt.Errorf("%w: %s", ErrNotChecked, out.message())
	}
	out, err = runEngine(ctx, exe, append(flags, "--validate"), doc, 0)
	if err != nil || out.ok {
		return err
	}
	return &RejectedError{Message: out.message()}
}

// validateByStarting is for engines before 23.0.
func validateByStarting(ctx context.Context, exe string, flags []string, doc []byte) error {
	out, err := runEngine(ctx, exe, flags, doc, nobody)
	switch {
	case err != nil:
		return err
	case strings.Contains(out.text, "needs to be started with root"):
		return nil
	case needsRoot(out.text):
		return fmt.Errorf("%w: %s", ErrNotChecked, out.message())
	}
	return &RejectedError{Message: out.message()}
}

// needsRoot recognises an answer that says more about the unprivileged user than about the file.
func needsRoot(text string) bool {
	return strings.Contains(text, "permission denied") || strings.Contains(text, "operation not permitted") ||
		strings.Contains(text, `"`+remapUser+`" user creation`) // which engines from 23.0 try while they check the file
}

// safeAsRoot: as root, --validate creates the user dockremap where user namespaces are asked for.
func safeAsRoot(doc []byte, flags []string) bool {
	return !bytes.Contains(doc, []byte("userns-remap")) && !strings.Contains(strings.Join(flags, " "), "--userns-remap")
}

// validateFlags are the flags of the next start without those that validation sets itself.
func validateFlags(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	var flags []string
	for i := 1; i < len(argv); i++ {
		name, _, hasValue := strings.Cut(argv[i], "=")
		switch name {
		case "--validate":
		case "--config-file":
			if !hasValue {
				i++
			}
		default:
			flags = append(flags, argv[i])
		}
	}
	return flags
}

// answer is what the binary said.
type answer struct {
	ok   bool
	text string
}

// message is the engine's reason: the line that names the configuration or begins the final status, after
// which engines from 28 print all their flags; else the last one.
func (a answer) message() string {
	reason := "no message"
	for line := range strings.Lines(a.text) {
		line, final := strings.CutPrefix(strings.TrimSpace(line), "Status: ")
		if line == "" || strings.HasPrefix(line, "time=") || strings.HasPrefix(line, "See '") {
			continue
		}
		reason = line
		if final || strings.Contains(line, "unable to configure") {
			break
		}
	}
	return withoutCredentials(reason)
}

func withoutCredentials(text string) string { return host.WithoutCredentials(text) }

// runEngine runs the binary as a user on a copy of the file that only lives in memory.
func runEngine(ctx context.Context, exe string, flags []string, doc []byte, uid uint32) (answer, error) {
	file, err := memoryFile(doc)
	if err != nil {
		return answer{}, fmt.Errorf("cannot hand daemon.json to %s: %w", exe, err)
	}
	defer file.Close()
	const inherited = "/proc/self/fd/3" // the first of ExtraFiles
	cmd := exec.CommandContext(ctx, exe, append([]string{"--config-file", inherited}, flags...)...)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return answer{}, fmt.Errorf("cannot check daemon.json: %s gave no answer: %w", exe, ctx.Err())
	case err == nil:
		return answer{ok: true, text: out.String()}, nil
	case errors.As(err, &exit):
		return answer{text: out.String()}, nil
	}
	return answer{}, fmt.Errorf("cannot check daemon.json with %s as an unprivileged user: %w", exe, err)
}

// memoryFile is readable by everybody who has it open, and has no name. A pipe would not do: the engine opens
// the file by path, and a pipe of root cannot be opened by another user.
func memoryFile(doc []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("daemon.json", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "daemon.json")
	if _, err := file.Write(doc); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if err := file.Chmod(0o444); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
