package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// leaves lists the words of every command that does something.
func leaves(commands []*cli.Command, before []string) [][]string {
	var out [][]string
	for _, c := range commands {
		words := append(slices.Clone(before), c.Name)
		if len(c.Subcommands) == 0 {
			out = append(out, words)
		} else {
			out = append(out, leaves(c.Subcommands, words)...)
		}
	}
	return out
}

func runApp(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestHelp: every command explains itself on stdout, with examples, each of which is understood.
func TestHelp(t *testing.T) {
	commands := testApp().commands()
	all := leaves(commands, nil)
	for _, c := range commands {
		if len(c.Subcommands) > 0 {
			all = append(all, []string{c.Name})
		}
	}
	for _, words := range all {
		name := strings.Join(words, " ")
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runApp(t, append(slices.Clone(words), "--help")...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit %d, stderr %q", code, stderr)
			}
			if !strings.HasPrefix(stdout, "Usage: docker-harden "+name) {
				t.Errorf("help begins with %.60q", stdout)
			}
			_, examples, ok := strings.Cut(stdout, "Examples:\n")
			if !ok {
				t.Fatal("there are no examples")
			}
			examples, _, _ = strings.Cut(examples, "\n\n")
			checkExamples(t, examples)
		})
	}
}

// checkExamples parses each example as the tool would.
func checkExamples(t *testing.T, examples string) {
	t.Helper()
	for line := range strings.Lines(examples) {
		_, line, ok := strings.Cut(line, "docker-harden ")
		if !ok {
			t.Errorf("no docker-harden in example %q", line)
			continue
		}
		line, _, _ = strings.Cut(line, "  ") // the remark
		for _, end := range []string{">", "|", "&&", ")"} {
			line, _, _ = strings.Cut(line, end)
		}
		if _, err := parse(testApp().commands(), globalFlags(), strings.Fields(line)); err != nil {
			t.Errorf("example %q: %v", line, err)
		}
	}
}

func TestFirstPageListsEveryCommand(t *testing.T) {
	code, stdout, _ := runApp(t)
	if code != exitOK {
		t.Fatalf("exit %d", code)
	}
	for _, c := range testApp().commands() {
		if !strings.Contains(stdout, "\n  "+c.Name+" ") {
			t.Errorf("the first page does not list %s", c.Name)
		}
	}
}

// TestUsageErrors: exit 64, nothing on stdout, the reason and whose help to read on stderr.
func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		line, want string
	}{
		{"aply", `did you mean "apply"`},
		{"apply a b", `"b" is one argument too many`},
		{"apply -- -x", `"-x" looks like a flag`},
		{"apply x --on-failure explode", "it can be rollback, stop"},
		{"apply x --lock-timeout soon", `"soon"`},
		{"apply x --dry-run=perhaps", `"perhaps"`},
		{"plan --color rainbow", "it can be auto, always, never"},
		{"plan --format xml", "it can be text, json"},
		{"explain", "which control"},
		{"explain no-new-priv", `did you mean "no-new-privileges"`},
		{"completion", "bash, zsh or fish"},
		{"completion tcsh", `no completion for "tcsh"`},
		{"snapshot", "file name"},
		{"rollback three", `"three" is no generation`},
		{"rollback -- -3", `looks like a flag`},
		{"show", "show what"},
		{"profile show", "which profile"},
		{"exception add daemon", "exception add container/web no-new-privileges"},
		{"exception add daemon icc --owner o", "needs --reason"},
		{"exception add daemon icc --owner= --reason r", "needs --owner"},
		{"exception add daemon icc --owner o --reason r", "is built in and cannot be changed"},
		{"exception add daemon icx --owner o --reason r", `unknown control "icx"; did you mean "icc"`},
		{"exception add daemon 5.10 --owner o --reason r", "docker/host-network or docker/memory-limit or docker/swap-limit: write the id"},
		{"exception add container/[ host-pid --owner o --reason r", "syntax error in pattern"},
		{"exception add image/x host-pid --owner o --reason r", "must be daemon, swarm, host, host/PATH or container/NAME"},
		{"exception add daemon host-pid --owner o --reason r", "its targets are container/NAME"},
		{"exception add container/x icc --owner o --reason r", "its targets are daemon, swarm or host"},
		{"exception add daemon icc --owner o --reason r --expires soon", "it can be a date"},
		{"exception add daemon icc --owner o --reason r --expires 2020-02-02", "must be a later day"},
		{"exception remove daemon", "which target and which control"},
		{"exception remove daemon icc --line 0", "lines count from 1"},
		{"exception remove daemon icc", "is built in and cannot be changed"},
		{"plan --host x --context y", "contradict"},
		{"plan -H gopher://x", "unix://PATH"},
		{"apply x -p baseline", "--profile is for making a plan"},
		{"apply x --skip 5.12", "a saved plan is applied whole"},
	} {
		t.Run(test.line, func(t *testing.T) {
			code, stdout, stderr := runApp(t, strings.Fields(test.line)...)
			if code != exitUsage {
				t.Errorf("exit %d, want %d", code, exitUsage)
			}
			if stdout != "" {
				t.Errorf("stdout %q", stdout)
			}
			if !strings.Contains(stderr, test.want) || !strings.Contains(stderr, "--help'") {
				t.Errorf("stderr %q does not contain %q and the help to read", stderr, test.want)
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	cancelled := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		return ctx
	}
	stale := &remediate.StaleError{Steps: []remediate.StaleStep{{ID: "daemon", Gone: true}}}
	failed := &remediate.StepError{Step: "daemon", During: "do", Err: errors.New("no")}
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"nothing", nil, nil, 0},
		{"any error", nil, errors.New("x"), 1},
		{"findings", nil, statusError(exitFindings), 2},
		{"rolled back", nil, fmt.Errorf("%w: %w", remediate.ErrRolledBack, failed), 3},
		{"rolled back after a stale step", nil, fmt.Errorf("%w: %w", remediate.ErrRolledBack, stale), 3},
		{"incomplete", nil, fmt.Errorf("%w: %w: %w", remediate.ErrRollbackIncomplete, failed, remediate.ErrDrifted), 4},
		{"stopped", nil, fmt.Errorf("%w: %w", remediate.ErrStopped, failed), 4},
		{"stale", nil, fmt.Errorf("x: %w", stale), 5},
		{"expired", nil, fmt.Errorf("x: %w", plan.ErrExpired), 5},
		{"edited", nil, fmt.Errorf("x: %w", plan.ErrEdited), 5},
		{"foreign", nil, fmt.Errorf("x: %w", plan.ErrForeign), 5},
		{"incomplete plan", nil, fmt.Errorf("x: %w", plan.ErrIncomplete), 5},
		{"declined", nil, fmt.Errorf("x: %w", errDeclined), 6},
		{"locked", nil, fmt.Errorf("x: %w", remediate.ErrLocked), 7},
		{"waits for its confirm", nil, fmt.Errorf("x: %w", remediate.ErrPending), 7},
		{"too late to confirm", nil, fmt.Errorf("x: %w", remediate.ErrExpired), 1},
		{"the apply was too slow", nil, fmt.Errorf("%w: %w", remediate.ErrRolledBack, remediate.ErrExpired), 3},
		{"unfinished", nil, fmt.Errorf("x: %w", remediate.ErrUnfinished), 7},
		{"refused", nil, fmt.Errorf("x: %w", remediate.ErrRefused), 8},
		{"refused while preparing", nil, &remediate.StepError{Step: "daemon", During: "prepare", Err: remediate.ErrRefused}, 8},
		{"still fails", nil, fmt.Errorf("x: %w", remediate.ErrStillFails), 9},
		{"usage", nil, fmt.Errorf("x: %w", usagef("y")), 64},
		{"unknown target", nil, fmt.Errorf("x: %w", &plan.TargetError{What: "target", Name: "y"}), 64},
		{"pattern of a target", nil, fmt.Errorf("x: %w", path.ErrBadPattern), 64},
		{"interrupted", cancelled(signalError{syscall.SIGINT}), fmt.Errorf("x: %w", remediate.ErrInterrupted), 130},
		{"terminated", cancelled(signalError{syscall.SIGTERM}), fmt.Errorf("x: %w", context.Canceled), 143},
		{"hung up", cancelled(signalError{syscall.SIGHUP}), fmt.Errorf("x: %w", remediate.ErrInterrupted), 129},
		{"docker gone", cancelled(errDockerGone), fmt.Errorf("x: %w", remediate.ErrInterrupted), 130},
		{"call cut off by a signal", cancelled(signalError{syscall.SIGTERM}), errors.New("cannot ask the engine: got SIGTERM"), 143},
		{"failed although interrupted", cancelled(signalError{syscall.SIGINT}), fmt.Errorf("%w: %w", remediate.ErrRolledBack, failed), 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if got := exitCode(ctx, test.err); got != test.want {
				t.Errorf("exit %d, want %d", got, test.want)
			}
		})
	}
}

// TestReaderGone: plan | head -1 is no error worth words; a full disk behind stdout is.
func TestReaderGone(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		says bool
	}{
		"reader gone": {&fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EPIPE}, false},
		"disk full":   {&fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.ENOSPC}, true},
		"engine gone": {fmt.Errorf("cannot ask the engine: %w", syscall.EPIPE), true},
	} {
		var errs strings.Builder
		a := testApp()
		a.err = &errs
		if code := a.report(t.Context(), test.err); code != exitError || (errs.Len() > 0) != test.says {
			t.Errorf("%s: exit %d, stderr %q", name, code, errs.String())
		}
	}
}

// TestErrorsAreClean: what a host calls itself must not speak to the terminal.
func TestErrorsAreClean(t *testing.T) {
	var errs strings.Builder
	a := testApp()
	a.err = &errs
	a.report(t.Context(), errors.New("cannot read container/\x1b]0;owned\x07:\nsecond line"))
	if strings.ContainsAny(errs.String(), "\x1b\x07") {
		t.Errorf("escape sequences reach the terminal: %q", errs.String())
	}
	if !strings.Contains(errs.String(), "\nsecond line\n") {
		t.Errorf("lines are lost: %q", errs.String())
	}
}
