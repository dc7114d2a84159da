package main

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/remediate/journal"
)

// hideKept takes out of an observation the old containers that a recreate keeps for rollback: they
// are not part of the host any more, only of its way back.
func (a *app) hideKept(c *cli.Context, h *inventory.Host) {
	store, err := a.journals(c)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.note(c, "The generations cannot be read, so containers kept for rollback are looked at too: %s", clean(err.Error()))
		}
		return
	}
	all, err := store.List()
	if err != nil {
		return
	}
	kept := keptBy(all)
	h.Containers = slices.DeleteFunc(h.Containers, func(ctr inventory.Container) bool {
		name, ok := kept[ctr.ID]
		return ok && name != ctr.Name
	})
}

// keptBy gives the ids of the containers that generations keep, with the names they had.
func keptBy(all []*journal.Generation) map[string]string {
	kept := make(map[string]string)
	for _, gen := range all {
		if gen.Err != nil {
			continue
		}
		for _, s := range gen.UndoOrder() {
			if gen.Step(s.ID).Phase == journal.StepPruned {
				continue
			}
			for _, part := range s.Parts() {
				if part.Action == plan.ActionRecreate {
					kept[part.Resource.ID] = part.Resource.Name
				}
			}
		}
	}
	return kept
}
