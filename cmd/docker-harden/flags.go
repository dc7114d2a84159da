package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const (
	defaultState = "/var/lib/docker-harden"
	defaultLock  = "/run/docker-harden.lock"
)

// globalFlags are accepted by every command and anywhere on the line. They are made anew for each
// command: the library writes into them.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "host", Aliases: []string{"H"}, Usage: "`SOCKET` of the engine to connect to"},
		&cli.StringFlag{Name: "context", Aliases: []string{"c"}, Usage: "`NAME` of the Docker context to use"},
		&cli.StringFlag{Name: "config", Usage: "`DIR` of the Docker client's configuration", Hidden: true},
		&cli.StringFlag{Name: "log-level", Aliases: []string{"l"}, Usage: "accepted because docker passes it on", Hidden: true},
		&cli.BoolFlag{Name: "tls", Usage: "use TLS"},
		&cli.BoolFlag{Name: "tlsverify", Usage: "use TLS and verify the engine"},
		&cli.StringFlag{Name: "tlscacert", Usage: "trust certificates signed by the CA in `FILE`"},
		&cli.StringFlag{Name: "tlscert", Usage: "`FILE` with the client certificate"},
		&cli.StringFlag{Name: "tlskey", Usage: "`FILE` with the client key"},
		&cli.BoolFlag{Name: "debug", Aliases: []string{"D"}, Usage: "say on stderr what is looked at"},
		&cli.StringFlag{
			Name: "state-dir", Usage: "`DIR` of the generations and their rollback files",
			EnvVars: []string{"DOCKER_HARDEN_STATE_DIR"},
		},
		choice("color", "when to colour: `WHEN` is auto, always or never", "auto", "auto", "always", "never"),
		choice("progress", "how progress is told: `HOW` is auto, tty, plain, json or quiet", "auto", "auto", "tty", "plain", "json", "quiet"),
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no remarks"},
		&cli.DurationFlag{Name: "lock-timeout", Usage: "wait `TIME` for another run to finish"},
		&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "print help"},
	}
}

// choiceFlag is a flag with a fixed set of values.
type choiceFlag struct {
	*cli.StringFlag
	values []string
}

func choice(name, usage, value string, values ...string) *choiceFlag {
	check := func(_ *cli.Context, v string) error {
		if slices.Contains(values, v) {
			return nil
		}
		return usagef("--%s is %q; it can be %s%s", name, v, strings.Join(values, ", "), didYouMean(v, values))
	}
	return &choiceFlag{&cli.StringFlag{Name: name, Usage: usage, Value: value, Action: check}, values}
}

func formatFlag() cli.Flag {
	f := choice("format", "print as `FORMAT`: text or json", "text", "text", "json")
	f.EnvVars = []string{"DOCKER_HARDEN_FORMAT"}
	return f
}

func riskFlag(name, usage string) cli.Flag { return choice(name, usage, "", "low", "medium", "high") }

func profileFlag() *cli.StringFlag {
	return &cli.StringFlag{
		Name: "profile", Aliases: []string{"p"}, Value: "cis-level1", EnvVars: []string{"DOCKER_HARDEN_PROFILE"},
		Usage: "profile: `NAME` of a built-in one or of one in /etc/docker-harden/profiles, or a file",
	}
}

// selectFlags narrow what a plan looks at.
func selectFlags() []cli.Flag {
	return []cli.Flag{
		profileFlag(),
		&cli.StringSliceFlag{Name: "only", Usage: "judge only `CONTROL` (an id or a benchmark number); may be repeated"},
		&cli.StringSliceFlag{Name: "skip", Usage: "leave out `TARGET|CONTROL`; may be repeated"},
		riskFlag("severity", "only controls of at least this `LEVEL`: low, medium or high"),
		riskFlag("max-risk", "plan no step of a higher risk than `LEVEL` (low, medium or high); a saved plan that has one is refused"),
	}
}

// waitFlags say when a recreated container is trusted. The defaults are the handler's.
func waitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "wait-timeout", Usage: "a recreated container may take `TIME` to become healthy (default 5m)"},
		&cli.DurationFlag{Name: "stable", Usage: "and must then stay up for `TIME` (default 5s)"},
	}
}

func fromFlag() cli.Flag {
	return &cli.StringFlag{Name: "from", Usage: "look at the snapshot in `FILE` instead of the host"}
}

func yesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}
}

func targetFlag(usage string) cli.Flag {
	return &cli.StringSliceFlag{Name: "target", Usage: usage}
}

// stateDir is where generations are kept.
func (a *app) stateDir(c *cli.Context) string {
	if dir := c.String("state-dir"); dir != "" {
		return dir
	}
	return a.defaultStateDir()
}

func (a *app) defaultStateDir() string {
	if a.unprivileged() {
		if dir := a.getenv("XDG_STATE_HOME"); dir != "" {
			return dir + "/docker-harden"
		}
		return a.getenv("HOME") + "/.local/state/docker-harden"
	}
	return defaultState
}

// lockPath is the file that keeps a second run off the host.
func (a *app) lockPath() string {
	if a.unprivileged() {
		if dir := a.getenv("XDG_RUNTIME_DIR"); dir != "" {
			return dir + "/docker-harden.lock"
		}
	}
	return defaultLock
}

func evidenceFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "evidence", Usage: "ask before anything is taken away that learn saw in use (`FILE`); may be repeated"}
}

func scanFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "scan", Usage: "judge images by the report of Trivy or Grype in `FILE` too; may be repeated"}
}
