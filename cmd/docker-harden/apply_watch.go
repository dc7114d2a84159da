package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/container"
)

func watchFlag() cli.Flag {
	return &cli.DurationFlag{Name: "watch", Usage: "watch the changed containers for `TIME` after it, and roll back when one is in trouble"}
}

func applyEvidenceFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "evidence", Usage: "go back when a capability is refused that learn saw in use (`FILE`); may be repeated"}
}

// watchTime is how long an apply is to be watched; 0: it is not.
func watchTime(c *cli.Context) (time.Duration, error) {
	lasts := c.Duration("watch")
	switch {
	case !c.IsSet("watch"):
		return 0, nil
	case lasts <= 0:
		return 0, usagef("--watch takes a time above 0")
	case c.IsSet("confirm"):
		return 0, usagef("--watch keeps others from this host until it ends, so nobody could confirm meanwhile; use either --watch or --confirm")
	}
	return lasts, nil
}

// oversee lets a runner watch what it makes. How the containers are before it is seen now.
func (a *app) oversee(c *cli.Context, r *remediate.Runner, w *container.Watcher, steps []plan.Step) error {
	lasts, err := watchTime(c)
	if err != nil || lasts == 0 {
		return err
	}
	if err := w.Remember(c.Context, steps); err != nil {
		return err
	}
	r.Watch = func(ctx context.Context, steps []plan.Step) error {
		a.note(c, "Applied. Watching the changed containers for %s, until %s. Ctrl-C ends it early and keeps the changes.", lasts, time.Now().Add(lasts).Format(time.TimeOnly))
		return w.Watch(ctx, steps, lasts)
	}
	return nil
}
