package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/evidence"
	"docker-harden/remediate/docker/container"
)

// program is the name of the tool and of its binary; the docker CLI finds plugins by it.
const program = "docker-harden"

// app is one invocation: its streams and its environment. Commands are its methods, a file each.
type app struct {
	in     io.Reader
	out    io.Writer // the result only
	err    io.Writer // prompts, progress, warnings
	getenv func(string) string
	// plugin is true when the docker CLI runs us: docker harden plan.
	plugin bool
	// jsonErrors: whoever reads stderr reads lines of JSON.
	jsonErrors bool
	// clients are the ways to engines that were opened, to be closed at the end.
	clients []io.Closer
	// learnt is the evidence that an apply is given, by the container's name; refused hears of capabilities that the
	// kernel refuses these containers.
	learnt  map[string]*evidence.File
	refused func(name, id string) container.Refusal
}

// run is the whole program: it understands args, does what they ask, and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{in: stdin, out: stdout, err: stderr, getenv: os.Getenv}
	a.plugin = a.getenv("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND") != ""
	ctx, hangUp, err := withDocker(ctx, a.getenv("DOCKER_CLI_PLUGIN_SOCKET"))
	if err != nil {
		return a.report(ctx, err)
	}
	defer hangUp()
	defer a.close()
	return a.report(ctx, a.main(ctx, args))
}

// close gives back the connections to engines.
func (a *app) close() {
	for _, c := range a.clients {
		_ = c.Close()
	}
}

// main understands args and runs a command.
func (a *app) main(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "docker-cli-plugin-metadata":
			return a.pluginMetadata()
		case "__complete", "__completeNoDesc":
			return a.complete(ctx, args[1:], args[0] == "__complete")
		}
	}
	commands := a.commands()
	r, err := parse(commands, globalFlags(), args)
	switch {
	case err != nil:
		return err
	case r.help || len(r.path) == 0 || len(r.path[len(r.path)-1].Subcommands) > 0:
		return a.help(r.path)
	}
	if err := a.library(commands).RunContext(ctx, r.argv(program)); err != nil {
		var usage *usageError
		if errors.As(err, &usage) && usage.help == "" {
			usage.help = r.words()
		}
		return err
	}
	return nil
}

// commands is every command, in the order people meet them.
func (a *app) commands() []*cli.Command {
	return []*cli.Command{
		a.planCommand(), a.showCommand(), a.checkCommand(), a.explainCommand(), a.snapshotCommand(), a.learnCommand(),
		a.applyCommand(), a.confirmCommand(), a.rollbackCommand(), a.resumeCommand(), a.pruneCommand(),
		a.statusCommand(), a.historyCommand(), a.verifyCommand(),
		a.profileCommand(), a.exceptionCommand(), a.answerCommand(),
		a.controlsCommand(), a.completionCommand(), a.versionCommand(),
	}
}

// library is the command line library, kept from what it would do by itself: printing usage on
// stdout, exiting inside Run, splitting values at commas, taking "help" for a target.
func (a *app) library(commands []*cli.Command) *cli.App {
	return &cli.App{
		Name: program, HideHelp: true, HideVersion: true, Writer: a.out, ErrWriter: a.err,
		Flags: globalFlags(), Commands: commands, DisableSliceFlagSeparator: true,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   onUsageError,
		Action:         func(c *cli.Context) error { return usagef("unknown command %q", c.Args().First()) },
	}
}

func onUsageError(_ *cli.Context, err error, _ bool) error {
	text := err.Error()
	for _, prefix := range []string{"for flag -", "for -"} {
		text = strings.Replace(text, prefix, strings.TrimSuffix(prefix, "-")+"--", 1)
	}
	return &usageError{text: text}
}

// leaf completes a command that does something: the global flags, and no argument that is too many
// or looks like a flag.
func leaf(c *cli.Command, most int, do func(*cli.Context) error) *cli.Command {
	c.Flags = append(c.Flags, globalFlags()...)
	c.HideHelp = true
	c.OnUsageError = onUsageError
	c.Action = func(ctx *cli.Context) error {
		args := ctx.Args().Slice()
		for i, arg := range args {
			if len(arg) > 1 && arg[0] == '-' {
				return usagef("%q looks like a flag and stands where an argument is expected; write ./%s for a file", arg, arg)
			}
			if most >= 0 && i >= most {
				return usagef("%q is one argument too many", arg)
			}
		}
		return do(ctx)
	}
	return c
}

// branch completes a command that only holds others.
func branch(c *cli.Command) *cli.Command {
	c.Flags = append(c.Flags, globalFlags()...)
	c.HideHelp = true
	c.OnUsageError = onUsageError
	return c
}

// any number of arguments.
const many = -1

// report says what went wrong, on stderr, and gives the exit status.
func (a *app) report(ctx context.Context, err error) int {
	var status statusError
	var told toldError
	var usage *usageError
	switch {
	case err == nil, errors.As(err, &status), errors.As(err, &told), readerGone(err):
	case a.jsonErrors && !errors.As(err, &usage):
		jsonProgress{out: a.err}.failed(err)
	case errors.As(err, &usage):
		a.say("%s: %s", program, clean(err.Error()))
		a.say("See '%s'.", strings.Join(strings.Fields(a.name()+" "+usage.help+" --help"), " "))
	default:
		a.say("%s: %s", program, clean(err.Error()))
	}
	return exitCode(ctx, err)
}

// readerGone: whoever read the result has seen enough of it (plan | head -1).
func readerGone(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Path == os.Stdout.Name() && errors.Is(path.Err, syscall.EPIPE)
}

// say writes a line for a person to stderr. That it cannot be written is no reason to stop.
func (a *app) say(format string, args ...any) { _, _ = fmt.Fprintf(a.err, format+"\n", args...) }

// name is what the user typed to call us.
func (a *app) name() string {
	if a.plugin {
		return "docker " + pluginWord
	}
	return program
}

// version is set by the linker: make build.
var version = ""

// toolVersion is the version of this build; without make, as Go recorded it.
func toolVersion() string {
	if version != "" {
		return strings.TrimPrefix(version, "v")
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
