package docker

import (
	"math/rand/v2"
	"testing"
	"time"

	"docker-harden/plan/profile"
)

func defaults(specs []profile.Param) profile.Params {
	p := profile.Params{}
	for _, s := range specs {
		p[s.Name] = s.Default
	}
	return p
}

const days = 24 * time.Hour

func TestChooseMemory(t *testing.T) {
	// The factor before rounding is 1.15 × √confidence: 1.99 for half a day, 1.63 for a day, 1.23 for a week.
	for name, c := range map[string]struct {
		in    memoryInput
		limit int64
		need  int64
	}{
		"a week":                   {memoryInput{WorkingSet: 1000 * mib, Unreclaimable: 100 * mib, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 1232 * mib, 1000 * mib},
		"a day":                    {memoryInput{WorkingSet: 1000 * mib, Uptime: days, Samples: 10, Host: 64 * gib}, 1632 * mib, 1000 * mib},
		"half a day":               {memoryInput{WorkingSet: 1000 * mib, Uptime: days / 2, Samples: 10, Host: 64 * gib}, 2000 * mib, 1000 * mib},
		"an hour is half a day":    {memoryInput{WorkingSet: 1000 * mib, Uptime: time.Hour, Samples: 10, Host: 64 * gib}, 2000 * mib, 1000 * mib},
		"few samples":              {memoryInput{WorkingSet: 1000 * mib, Uptime: 100 * days, Samples: 9, Host: 64 * gib}, 2000 * mib, 1000 * mib},
		"uptime unknown":           {memoryInput{WorkingSet: 1000 * mib, Samples: 10, Host: 64 * gib}, 2000 * mib, 1000 * mib},
		"floor":                    {memoryInput{WorkingSet: mib, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 128 * mib, mib},
		"headroom":                 {memoryInput{WorkingSet: 100 * mib, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 208 * mib, 100 * mib},
		"unreclaimable":            {memoryInput{WorkingSet: 900 * mib, Unreclaimable: 1000 * mib, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 1360 * mib, 1100 * mib},
		"peak of cgroup v1":        {memoryInput{WorkingSet: 1000 * mib, Peak: 2000 * mib, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 1232 * mib, 1000 * mib},
		"peak of cgroup v2":        {memoryInput{WorkingSet: 1000 * mib, Peak: 2000 * mib, PeakCounts: true, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 2464 * mib, 2000 * mib},
		"peak is file cache":       {memoryInput{WorkingSet: 1000 * mib, Peak: 4000 * mib, PeakCounts: true, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 1232 * mib, 1000 * mib},
		"reservation":              {memoryInput{WorkingSet: 100 * mib, Reservation: 3000 * mib, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 3008 * mib, 100 * mib},
		"capped":                   {memoryInput{WorkingSet: 700 * mib, Uptime: time.Hour, Samples: 10, Host: gib}, 816 * mib, 700 * mib},
		"does not fit":             {memoryInput{WorkingSet: 900 * mib, Uptime: time.Hour, Samples: 10, Host: gib}, 0, 900 * mib},
		"reservation does not fit": {memoryInput{WorkingSet: 100 * mib, Reservation: 900 * mib, Uptime: 7 * days, Samples: 10, Host: gib}, 0, 100 * mib},
		"killed":                   {memoryInput{WorkingSet: 1000 * mib, Killed: true, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 1488 * mib, 1200 * mib},
		"killed when small":        {memoryInput{WorkingSet: 60 * mib, Killed: true, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 272 * mib, 160 * mib},
		"killed at its peak":       {memoryInput{WorkingSet: 100 * mib, Peak: 1000 * mib, Killed: true, Uptime: 7 * days, Samples: 10, Host: 64 * gib}, 1488 * mib, 1200 * mib},
		"killed, does not fit":     {memoryInput{WorkingSet: 700 * mib, Killed: true, Uptime: 7 * days, Samples: 10, Host: gib}, 0, 840 * mib},
		"host unknown":             {memoryInput{WorkingSet: 100 * mib, Uptime: 7 * days, Samples: 10}, 0, 100 * mib},
		"nothing in use":           {memoryInput{Uptime: 7 * days, Samples: 10, Host: gib}, 128 * mib, 0},
	} {
		got := chooseMemory(newMemoryRule(defaults(memoryParams())), c.in)
		if got.Limit != c.limit || (got.Need+mib-1)/mib != (c.need+mib-1)/mib {
			t.Errorf("%s: limit %s need %s, want %s and %s", name, size(got.Limit), size(got.Need), size(c.limit), size(c.need))
		}
		if (got.Limit == 0) != (got.Reason != "") {
			t.Errorf("%s: limit %d with reason %q", name, got.Limit, got.Reason)
		}
	}
}

func TestConfidence(t *testing.T) {
	r := memoryRule{Samples: 10, MaxConfidence: 5}
	for name, c := range map[string]struct {
		in   memoryInput
		want float64
	}{
		"unknown uptime": {memoryInput{Samples: 10}, 5}, "few samples": {memoryInput{Samples: 9, Uptime: 30 * days}, 5},
		"half a day": {memoryInput{Samples: 10, Uptime: days / 2}, 3}, "a day": {memoryInput{Samples: 10, Uptime: days}, 2}, "four days": {memoryInput{Samples: 10, Uptime: 4 * days}, 1.25},
	} {
		if got := r.confidence(c.in); got != c.want {
			t.Errorf("%s: %g, want %g", name, got, c.want)
		}
	}
}

// TestMemoryIsNeverTooLittle tries many inputs and profiles: a limit is never below what is in use,
// what cannot be given back, what is reserved, or what the engine takes, and never above the host's part.
func TestMemoryIsNeverTooLittle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	given := 0
	for range 20000 {
		r := newMemoryRule(defaults(memoryParams()))
		r.Margin, r.Headroom, r.Floor = 1+rnd.Float64(), rnd.Int64N(gib), rnd.Int64N(gib)
		r.MaxConfidence, r.Round = 1+5*rnd.Float64(), 4096<<rnd.IntN(16)
		in := memoryInput{
			WorkingSet: rnd.Int64N(4 * gib), Unreclaimable: rnd.Int64N(4 * gib), Peak: rnd.Int64N(16 * gib), PeakCounts: rnd.IntN(2) == 0,
			Uptime: time.Duration(rnd.Int64N(int64(30 * days))), Samples: rnd.IntN(20), Reservation: rnd.Int64N(gib), Host: rnd.Int64N(16 * gib),
		}
		got := chooseMemory(r, in)
		if got.Limit == 0 {
			continue
		}
		given++
		least := max(in.WorkingSet, int64(1.1*float64(in.Unreclaimable)), in.Reservation, minEngineLimit, got.Need)
		if got.Limit < least || float64(got.Limit) > 0.8*float64(in.Host) || got.Limit%r.Round != 0 {
			t.Fatalf("limit %d for %+v by %+v, want between %d and %f", got.Limit, in, r, least, 0.8*float64(in.Host))
		}
	}
	if given < 1000 {
		t.Errorf("only %d limits were given", given)
	}
}

func TestSize(t *testing.T) {
	for v, want := range map[int64]string{0: "0 B", 900: "900 B", 1536: "1.5 KiB", 5 * mib: "5 MiB", 5*mib + mib/2: "5.5 MiB", 2 * gib: "2 GiB", 1536 * mib: "1536 MiB"} {
		if got := size(v); got != want {
			t.Errorf("size(%d) = %q, want %q", v, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for v, want := range map[time.Duration]string{0: "unknown", 90 * time.Second: "1m30s", 5 * time.Hour: "5 h", 7 * days: "7 days"} {
		if got := span(v); got != want {
			t.Errorf("span(%d) = %q, want %q", v, got, want)
		}
	}
}
