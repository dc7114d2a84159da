package docker

import (
	"fmt"

	"docker-harden/plan"
)

// reason is why a finding is reported and not changed, as a code that reports can be searched for.
type reason string

const (
	// needsReplatform: the host or the engine has to be set up anew; data has to move.
	needsReplatform reason = "needs-replatform"
	// needsPolicy: what is right depends on the organisation, not on the host.
	needsPolicy reason = "policy"
)

// reported is a failure that is never changed here: why by its code, and what a person can do.
func reported(f plan.Finding, code reason, todo string, args ...any) plan.Finding {
	f.Status, f.Changes = plan.Fail, nil
	f.Blocked = string(code) + ": " + fmt.Sprintf(todo, args...)
	return f
}

// daemonVerdict is a verdict on the engine.
func daemonVerdict(s plan.Status, format string, args ...any) plan.Finding {
	f := verdict(s, format, args...)
	f.Resource = plan.Daemon()
	return f
}
