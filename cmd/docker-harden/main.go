// Command docker-harden compares a Docker host with a hardened profile, changes it exactly as
// reviewed, proves the result, and brings the host back as it was. It also runs as the Docker CLI
// plugin "docker harden".
package main

import (
	"context"
	"os"
	"strings"
)

func main() {
	forgetEmpty()
	ctx, stop := withSignals(context.Background(), os.Stderr)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// forgetEmpty makes an empty variable of ours mean the same as none, as Docker's own do: pipelines set what they
// have no value for.
func forgetEmpty() {
	for _, entry := range os.Environ() {
		if name, ok := strings.CutSuffix(entry, "="); ok && strings.HasPrefix(name, "DOCKER_HARDEN_") {
			_ = os.Unsetenv(name) // fails for names that no variable has
		}
	}
}
