package control

import (
	"fmt"
	"strings"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// Again is what a recreate of a container costs that changes nothing: its changes are what keeps the new container as
// the old one is where the engine's defaults would not, its Blocked is why no recreate of it is made at all, the
// reasons being those of any other plan.
func Again(h *inventory.Host, p *profile.Profile, c *inventory.Container) plan.Finding {
	f := plan.Finding{Resource: c.Resource(), Status: plan.Fail, Risk: plan.Risk{Level: plan.RiskLow}}
	if reasons := againBlocks(h, p, c); len(reasons) > 0 {
		f.Blocked = strings.Join(reasons, "; ")
		return f
	}
	if p.RecreateOf(c.Name).WritableLayer == plan.LayerRefuse {
		f.WritableLayer = plan.LayerRefuse // the files may come after the plan
	}
	priceRecreate(c, &f, drifted(h, c))
	if isDefault := defaultNoNewPrivs(h); isDefault && mayGain(c, isDefault) {
		optOut(c, &f)
	}
	said, _ := defaultsTaken(h, c) // what is hidden blocks it
	f.Changes = append(f.Changes, said...)
	return f
}

func againBlocks(h *inventory.Host, p *profile.Profile, c *inventory.Container) []string {
	if c.Problem != "" {
		return []string{"it could not be inspected: " + c.Problem}
	}
	if reasons := changeBlocks(h, c); len(reasons) > 0 {
		return reasons
	}
	if k := c.Owner.Kind; k != inventory.OwnedByNobody && k != inventory.OwnedByCompose {
		return []string{fmt.Sprintf("it is owned by %s %s, which would make it again", k, c.Owner.Name)}
	}
	return append(recreateBlocks(h, p, c), bondsOf(h).blocks(p, c)...)
}
