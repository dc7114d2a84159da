package main

import (
	"context"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"docker-harden/plan"
)

// oneContainer is an engine that shows one container, or none: a rollback that looks at a resource
// after undoing it need not read the whole host each time.
type oneContainer struct {
	*client.Client
	only plan.Resource
}

// ContainerList leaves every other container out.
func (e oneContainer) ContainerList(ctx context.Context, o container.ListOptions) ([]container.Summary, error) {
	if e.only.Kind != plan.ResourceContainer {
		return nil, nil
	}
	all, err := e.Client.ContainerList(ctx, o)
	return slices.DeleteFunc(all, func(c container.Summary) bool { return c.ID != e.only.ID }), err
}
