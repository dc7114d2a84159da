package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// BenchmarkPlan compares planning (observe, judge, build) with the requests it cannot avoid: one
// list, and one inspect per container, eight at once. Both run in turn, in one run; "ratio" is the
// quotient of the medians, for the default profile and for the one that turns every control on ("all"). A quarter of the
// containers runs. "ms-encode" is what saving the plan adds, and "rss-MiB" the peak memory of the built program making
// and saving a plan with every control.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{5, 50, 200} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h := host.Here(b)
			engine := h.Client(b)
			populate(b, engine, h.Image(b, "busybox"), n, (n+3)/4)
			var raw, whole, all, encode []time.Duration
			for b.Loop() {
				var p *plan.Plan
				raw = append(raw, took(b, func() error { return listAndInspect(engine) }))
				whole = append(whole, took(b, func() (err error) { p, err = makePlan(engine, "cis-level1"); return err }))
				all = append(all, took(b, func() (err error) { p, err = makePlan(engine, "cis-level2"); return err }))
				encode = append(encode, took(b, func() error { _, _, err := plan.Encode(p); return err }))
			}
			b.ReportMetric(median(whole)/median(raw), "ratio")
			b.ReportMetric(median(all)/median(raw), "ratio-all")
			b.ReportMetric(median(raw), "ms-raw")
			b.ReportMetric(median(whole), "ms-plan")
			b.ReportMetric(median(all), "ms-plan-all")
			b.ReportMetric(median(encode), "ms-encode")
			b.ReportMetric(peakOfProgram(b), "rss-MiB")
		})
	}
}

const atOnce = 8

func populate(b *testing.B, engine *client.Client, image string, total, running int) {
	b.Helper()
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(atOnce)
	for i := range total {
		group.Go(func() error {
			made, err := engine.ContainerCreate(ctx, &container.Config{Image: image, Cmd: []string{"sleep", "100000"}, StopSignal: "KILL"},
				&container.HostConfig{NetworkMode: "none"}, nil, nil, fmt.Sprintf("bench-%03d", i))
			if err == nil && i < running {
				err = engine.ContainerStart(ctx, made.ID, container.StartOptions{})
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func listAndInspect(engine *client.Client) error {
	list, err := engine.ContainerList(context.Background(), container.ListOptions{All: true})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(atOnce)
	for _, c := range list {
		group.Go(func() error {
			_, _, err := engine.ContainerInspectWithRaw(ctx, c.ID, false)
			return err
		})
	}
	return group.Wait()
}

func makePlan(engine *client.Client, name string) (*plan.Plan, error) {
	rules := controls.Controls()
	want, err := profile.Open(name, control.Catalog(rules))
	if err != nil {
		return nil, err
	}
	asked := inventory.Options{History: control.NeedsHistory(want, rules), Programs: control.NeedsPrograms(want, rules)}
	seen, err := inventory.Collect(context.Background(), engine, asked)
	if err != nil {
		return nil, err
	}
	p, err := plan.Build(plan.Input{
		Findings: control.Evaluate(seen, want, rules, time.Now()), Basis: seen.Basis, Host: seen.Identity,
		Rules: control.Rules(rules), Problems: seen.Problems, Made: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	if len(p.Steps) == 0 {
		return nil, fmt.Errorf("the plan is empty: %v", p.Problems)
	}
	return p, nil
}

func peakOfProgram(b *testing.B) float64 {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "docker-harden")
	build := exec.Command("go", "build", "-o", bin, "../docker-harden")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("cannot build: %v\n%s", err, out)
	}
	cmd := exec.Command(bin, "plan", "-p", "cis-level2", "-o", filepath.Join(b.TempDir(), "host.plan"))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("cannot plan: %v\n%s", err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("this system counts no memory")
	}
	return float64(usage.Maxrss) / 1024 // Linux counts KiB
}

func took(b *testing.B, do func() error) time.Duration {
	b.Helper()
	runtime.GC() // what was left behind by others is not this one's work
	start := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// median is in milliseconds.
func median(d []time.Duration) float64 {
	d = slices.Clone(d)
	slices.Sort(d)
	return float64(d[len(d)/2]) / float64(time.Millisecond)
}
