// Command docker-harden compares a Docker host with a hardened profile, changes it exactly as
// reviewed, proves the result, and brings the host back as it was. It also runs as the Docker CLI
// plugin "docker harden".
package main

import (
	"context"
	"os"
)

func main() {
	ctx, stop := withSignals(context.Background(), os.Stderr)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
