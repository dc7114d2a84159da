package container

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"docker-harden/plan/inventory"
)

// Shares and weights of processor time. The API takes shares; the kernel of cgroup v2 holds a weight, of 100
// where nobody set one. What a runtime makes of shares changed: runc before 1.3.2 turns 1024 shares, the
// number that stands for "unset" on cgroup v1, into a weight of 39; later ones into 100.
const (
	leastShares, mostShares = 2, 262144
	mostWeight              = 10000
	defaultWeight           = 100
)

// linearWeight is the weight that runc before 1.3.2 makes of shares.
func linearWeight(shares int64) int64 {
	return 1 + (within(shares)-leastShares)*(mostWeight-1)/(mostShares-leastShares)
}

// curvedWeight is the weight that runc from 1.3.2 on makes of shares: least, most and default of the one
// come to those of the other.
func curvedWeight(shares int64) int64 {
	switch {
	case shares <= leastShares:
		return 1
	case shares >= mostShares:
		return mostWeight
	}
	l := math.Log2(float64(shares))
	return int64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// within brings shares into the range that the kernel of cgroup v1 takes.
func within(shares int64) int64 { return min(max(shares, leastShares), mostShares) }

// weightsOf are the weights that runtimes make of shares. 0 shares are none: the kernel's own weight.
func weightsOf(shares int64) []int64 {
	if shares == 0 {
		return []int64{defaultWeight}
	}
	return []int64{linearWeight(shares), curvedWeight(shares)}
}

// sharesFor are shares of which each kind of runtime makes a weight: the default where it does, else the least.
func sharesFor(weight int64) []int64 {
	var out []int64
	for _, made := range []func(int64) int64{linearWeight, curvedWeight} {
		least, most := int64(leastShares), int64(mostShares)
		for least < most {
			if middle := (least + most) / 2; made(middle) < weight {
				least = middle + 1
			} else {
				most = middle
			}
		}
		if made(defaultShares) == weight {
			least = defaultShares
		}
		if made(least) == weight && !slices.Contains(out, least) {
			out = append(out, least)
		}
	}
	return out
}

// unweighed says what the kernel may hold instead of the weight of before; empty: it holds that.
func (u *Updater) unweighed(c *state, rec *updateRecord, now map[string]json.RawMessage) string {
	if _, ok := rec.From["CpuShares"]; !ok || identical(rec.From["CpuShares"], now["CpuShares"]) || rec.Kernel == nil || rec.Kernel.Weight == nil {
		return ""
	}
	const exactly = "; rollback --exact recreates the container and leaves no doubt"
	switch {
	case !c.State.Running:
		return fmt.Sprintf("its weight is %d again after its next start if the runtime is runc before 1.3.2, and may be another with a later one%s", *rec.Kernel.Weight, exactly)
	case !u.weighs(c, rec):
		return fmt.Sprintf("the runtime makes a weight of %d of no shares that were tried: the kernel holds another%s", *rec.Kernel.Weight, exactly)
	}
	return ""
}

// reweigh tries the other shares of which some runtime makes the weight of before.
func (u *Updater) reweigh(ctx context.Context, a *api, c *state, rec *updateRecord) (now map[string]json.RawMessage, err error) {
	for _, other := range rec.ways()["CpuShares"][1:] {
		if now, err = u.set(ctx, a, c, map[string][]json.RawMessage{"CpuShares": {other}}, []string{"CpuShares"}); err != nil || u.weighs(c, rec) {
			return now, err
		}
	}
	return u.set(ctx, a, c, rec.ways(), []string{"CpuShares"})
}

// weighs reports whether the kernel holds the weight of before, as far as it can be asked.
func (u *Updater) weighs(c *state, rec *updateRecord) bool {
	if rec.Kernel == nil || rec.Kernel.Weight == nil {
		return true
	}
	p, err := inventory.ReadProc(u.Options.Root, c.State.PID)
	return err != nil || p.CPUWeight == nil || *p.CPUWeight == *rec.Kernel.Weight
}
