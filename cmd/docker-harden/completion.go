package main

import (
	"embed"
	"fmt"

	"github.com/urfave/cli/v2"
)

//go:embed completion
var completionScripts embed.FS

func (a *app) completionCommand() *cli.Command {
	return leaf(&cli.Command{
		Name: "completion", Usage: "print the completion script of a shell", ArgsUsage: "bash|zsh|fish",
		Description: `The script asks this binary for candidates, so it never goes out of date. "docker harden" needs
no script: docker's own completion asks its plugins.

Examples:
  source <(docker-harden completion bash)
  docker-harden completion zsh > "${fpath[1]}/_docker-harden"
  docker-harden completion fish > ~/.config/fish/completions/docker-harden.fish`,
	}, 1, func(c *cli.Context) error {
		shell := c.Args().First()
		switch shell {
		case "bash", "zsh", "fish":
		case "":
			return usagef("which shell? completion takes bash, zsh or fish")
		default:
			return usagef("there is no completion for %q: it can be bash, zsh or fish", shell)
		}
		script, err := completionScripts.ReadFile("completion/completion." + shell)
		if err != nil {
			return fmt.Errorf("internal error: cannot read the completion script: %w", err)
		}
		_, err = a.out.Write(script)
		return err
	})
}
