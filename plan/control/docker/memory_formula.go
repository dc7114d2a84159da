package docker

import (
	"fmt"
	"math"
	"time"

	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	// minEngineLimit is the smallest memory limit the engine takes.
	minEngineLimit = 6 * mib
)

// memoryRule holds the numbers by which a memory limit is chosen; they come from the profile.
type memoryRule struct {
	Margin        float64 // how much more than seen
	Headroom      int64   // and at least this much more
	Floor         int64   // never less than this
	Samples       int64   // fewer count as not having looked
	MaxConfidence float64 // the factor for a container nobody has looked at for long
	Unreclaimable float64 // what cannot be given back, times this, must fit
	PeakFactor    float64 // the kernel's peak counts when it is below the working set times this
	Round         int64   // limits are multiples of this
	HostShare     float64 // and at most this part of the host's memory
}

func newMemoryRule(p profile.Params) memoryRule {
	const percent = 100
	return memoryRule{
		Margin: p.Float("margin"), Headroom: p.Int("headroom"), Floor: p.Int("floor"), Samples: p.Int("samples"),
		MaxConfidence: p.Float("max_confidence"), Unreclaimable: p.Float("unreclaimable_factor"),
		PeakFactor: p.Float("peak_factor"), Round: p.Int("round"), HostShare: float64(p.Int("host_percent")) / percent,
	}
}

// memoryInput is what was seen of a container and its host.
type memoryInput struct {
	WorkingSet    int64 // what is swapped out counts: it comes back when it is touched
	Unreclaimable int64
	Peak          int64 // 0: not known
	PeakCounts    bool  // cgroup v2: the peak is of this container's life and worth a look
	Uptime        time.Duration
	Samples       int
	Reservation   int64
	Host          int64 // memory of the host
	Killed        bool  // processes of it were killed for lack of memory: what was seen was not enough
}

func newMemoryInput(h *inventory.Host, c *inventory.Container) memoryInput {
	u := c.Usage
	return memoryInput{
		WorkingSet: u.WorkingSet + u.Swap, Unreclaimable: u.Unreclaimable + u.Swap, Peak: u.Peak, PeakCounts: h.Engine.CgroupVersion == "2",
		Uptime: u.Uptime, Samples: u.Samples, Reservation: c.Inspect.HostConfig.MemoryReservation, Host: h.Engine.MemTotal,
		Killed: u.OOMKills > 0,
	}
}

// memoryChoice is a limit and how it came about.
type memoryChoice struct {
	Limit      int64 // 0: no limit is possible
	Least      int64 // no limit may be below this
	Need       int64
	Confidence float64
	Reason     string // why no limit is possible
	Formula    string
}

// chooseMemory chooses a memory limit: what is needed, more for margin, and more again the shorter
// the container was looked at. A limit below what the container needs is never given.
func chooseMemory(r memoryRule, in memoryInput) memoryChoice {
	unreclaimable := int64(math.Ceil(r.Unreclaimable * float64(in.Unreclaimable)))
	need := max(in.WorkingSet, unreclaimable)
	if in.PeakCounts && in.Peak > 0 && float64(in.Peak) < r.PeakFactor*float64(in.WorkingSet) {
		need = max(need, in.Peak)
	}
	if in.Killed {
		need = afterKill(max(need, in.Peak))
	}
	out := memoryChoice{Need: need, Confidence: r.confidence(in)}
	out.Least = max(in.WorkingSet, unreclaimable, in.Reservation, minEngineLimit)
	margin := int64(math.Ceil(float64(need) * r.Margin * math.Sqrt(out.Confidence)))
	wish := roundUp(max(margin, need+r.Headroom, r.Floor, in.Reservation), r.Round)
	out.Formula = fmt.Sprintf("max(need %s × %.2f × √%.2f, need + %s, floor %s, reservation %s) in steps of %s",
		size(need), r.Margin, out.Confidence, size(r.Headroom), size(r.Floor), size(in.Reservation), size(r.Round))
	if in.Killed {
		out.Formula += fmt.Sprintf(", where the need is what was seen and %.0f %% more, at least %s, because it was killed for lack of memory", (killFactor-1)*100, size(killHeadroom))
	}
	ceiling := roundDown(int64(r.HostShare*float64(in.Host)), r.Round)
	switch {
	case in.Host <= 0:
		out.Reason = "the memory of the host is not known"
	case ceiling < max(need, out.Least):
		out.Reason = fmt.Sprintf("it needs %s, and %.0f %% of the host's memory (%s) are less than that", size(max(need, out.Least)), r.HostShare*100, size(ceiling))
	case wish > ceiling:
		out.Limit = ceiling
		out.Formula += fmt.Sprintf(", at most %.0f %% of the host's memory: %s", r.HostShare*100, size(ceiling))
	default:
		out.Limit = wish
	}
	return out
}

const (
	killFactor   = 1.2
	killHeadroom = 100 * mib
)

// afterKill is what is needed by a container that was killed with as much: the rule of the vertical autoscaler of
// Kubernetes.
func afterKill(seen int64) int64 {
	return max(int64(math.Ceil(float64(seen)*killFactor)), seen+killHeadroom)
}

// confidence is 3 for a container seen for less than half a day and approaches 1 with the days.
func (r memoryRule) confidence(in memoryInput) float64 {
	if int64(in.Samples) < r.Samples || in.Uptime <= 0 {
		return r.MaxConfidence
	}
	const day, halfDay = 24, 0.5 // hours, days
	return min(r.MaxConfidence, 1+1/max(in.Uptime.Hours()/day, halfDay))
}

func roundUp(v, step int64) int64 {
	if step <= 0 {
		return v
	}
	return (v + step - 1) / step * step
}

func roundDown(v, step int64) int64 {
	if step <= 0 {
		return v
	}
	return v / step * step
}

// size is a number of bytes for people.
func size(v int64) string {
	switch {
	case v >= gib && v%gib == 0:
		return fmt.Sprintf("%d GiB", v/gib)
	case v >= mib && v%mib == 0:
		return fmt.Sprintf("%d MiB", v/mib)
	case v >= mib:
		return fmt.Sprintf("%.1f MiB", float64(v)/mib)
	case v >= kib:
		return fmt.Sprintf("%.1f KiB", float64(v)/kib)
	}
	return fmt.Sprintf("%d B", v)
}

// span is a time for people.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return "unknown"
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return d.Round(time.Second).String()
}
