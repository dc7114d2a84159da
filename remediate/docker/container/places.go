package container

import (
	"fmt"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// placesTruth lists the planned changes of mounts that the kernel does not hold.
func (x *swap) placesTruth() []string {
	settings := make(map[string][]string)
	var targets []string
	for _, c := range x.changes {
		if target, setting, ok := plan.MountOf(c.Path); ok {
			targets = append(targets, target)
			settings[target] = append(settings[target], setting)
		}
	}
	if len(targets) == 0 {
		return nil
	}
	places, err := inventory.ReadPlaces(x.r.Options.Root, x.new.State.PID, targets)
	if err != nil {
		return []string{"its mounts could not be read: " + clean(err.Error(), maxMessage)}
	}
	var wrong []string
	for target, list := range settings {
		place, there := places[target]
		for _, setting := range list {
			switch {
			case !there:
				wrong = append(wrong, fmt.Sprintf("nothing is mounted on %s", clean(target, maxMessage)))
			case setting == plan.MountPropagation && place.Shared:
				wrong = append(wrong, fmt.Sprintf("mounts below %s still reach the host", clean(target, maxMessage)))
			case setting == plan.MountWritable && !place.ReadOnly:
				wrong = append(wrong, fmt.Sprintf("%s can still be written", clean(target, maxMessage)))
			}
		}
	}
	return wrong
}
