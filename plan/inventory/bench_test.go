package inventory

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"docker-harden/cmd/testhost/host"
)

// BenchmarkCollect compares an observation with the raw requests it cannot avoid: one list and one
// inspect per container, as many at once. Both are measured in turn in the same run; "ratio" is the
// quotient of the medians.
func BenchmarkCollect(b *testing.B) {
	for _, n := range []int{5, 50, 200} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			h := host.Here(b)
			image, c := h.Image(b, "busybox"), h.Client(b)
			fill(b, c, image, n, n/10+1)
			var raw, full []time.Duration
			for b.Loop() {
				raw = append(raw, timed(b, func() error { return unavoidable(c) }))
				full = append(full, timed(b, func() error {
					_, err := Collect(context.Background(), c, Options{})
					return err
				}))
			}
			slices.Sort(raw)
			slices.Sort(full)
			b.ReportMetric(float64(full[len(full)/2])/float64(raw[len(raw)/2]), "ratio")
			b.ReportMetric(float64(full[len(full)/2].Milliseconds()), "ms/collect")
			b.ReportMetric(float64(raw[len(raw)/2].Milliseconds()), "ms/raw")
			b.ReportMetric(peakMiB(b), "peak-MiB")
		})
	}
}

// fill makes containers, some of them running.
func fill(b *testing.B, c *client.Client, image string, total, running int) {
	b.Helper()
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(parallel)
	for i := range total {
		group.Go(func() error {
			made, err := c.ContainerCreate(ctx, &container.Config{Image: image, Cmd: []string{"sleep", "100000"}, Env: []string{"A=1"}},
				&container.HostConfig{NetworkMode: "none"}, nil, nil, fmt.Sprintf("bench-%03d", i))
			if err == nil && i < running {
				err = c.ContainerStart(ctx, made.ID, container.StartOptions{})
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func unavoidable(c *client.Client) error {
	group, ctx := errgroup.WithContext(context.Background())
	list, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return err
	}
	group.SetLimit(8)
	for _, item := range list {
		group.Go(func() error {
			_, _, err := c.ContainerInspectWithRaw(ctx, item.ID, false)
			return err
		})
	}
	return group.Wait()
}

func timed(b *testing.B, do func() error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// peakMiB is the largest resident memory this process ever had.
func peakMiB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	kib, err := strconv.Atoi(strings.TrimSuffix(statusField(status, "VmHWM"), " kB"))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}
