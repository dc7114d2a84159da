package container

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan"
	"docker-harden/remediate"
)

// BenchmarkDowntime measures how long a web server does not answer while its container is replaced,
// and while docker restart restarts the same container, in pairs in one run.
func BenchmarkDowntime(b *testing.B) {
	h := host.Here(b)
	h.Docker(b, "run", "-d", "--name", "web", "-p", "127.0.0.1:8099:80", "--cap-drop", "MKNOD", "--restart", "unless-stopped", h.Image(b, "busybox"),
		"sh", "-c", "mkdir -p /www; echo ok >/www/index.html; httpd -p 80 -h /www; trap exit TERM; sleep 99999 & wait")
	r := &Recreator{Engine: h.Client(b), Options: fast()}
	from, to := `["MKNOD"]`, `["CAP_AUDIT_WRITE"]`
	const pairs = 15
	for b.Loop() {
		var swaps, restarts, ratios []float64
		for range pairs {
			swap := away(b, func() { replace(b, h, r, from, to) })
			restart := away(b, func() { h.Docker(b, "restart", "web") })
			from, to = to, map[string]string{`["CAP_AUDIT_WRITE"]`: `["CAP_MKNOD"]`, `["CAP_MKNOD"]`: `["CAP_AUDIT_WRITE"]`}[to]
			swaps, restarts = append(swaps, swap), append(restarts, restart)
			ratios = append(ratios, swap/restart)
		}
		b.ReportMetric(median(swaps), "ms/recreate")
		b.ReportMetric(median(restarts), "ms/restart")
		b.ReportMetric(median(ratios), "recreate/restart")
	}
	b.ReportMetric(0, "ns/op")
}

func replace(b *testing.B, h *host.Host, r *Recreator, from, to string) {
	b.Helper()
	id := h.Docker(b, "inspect", "-f", "{{.Id}}", "web")
	step := plan.Step{Kind: plan.KindRecreate, Resource: plan.Container("web", id), Changes: []plan.Change{change("CapDrop", from, to)}}
	undo, err := r.Prepare(b.Context(), step)
	if err != nil {
		b.Fatal(err)
	}
	log := &notebook{}
	if err := r.Do(b.Context(), step, undo, log); err != nil {
		b.Fatal(err)
	}
	if err := r.Commit(b.Context(), step, remediate.Record{Undo: undo, Notes: log.notes}); err != nil {
		b.Fatal(err)
	}
}

// away is the longest time in milliseconds between two answers while work runs, up to the first
// answer after it.
func away(b *testing.B, work func()) float64 {
	b.Helper()
	for !answers(b.Context()) {
		time.Sleep(time.Millisecond)
	}
	over, result := make(chan struct{}), make(chan time.Duration, 1)
	go probe(b.Context(), over, result)
	work()
	close(over)
	return float64((<-result).Microseconds()) / 1000
}

func probe(ctx context.Context, over <-chan struct{}, result chan<- time.Duration) {
	var longest time.Duration
	for last, ended := time.Now(), false; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		select {
		case <-over:
			ended = true
		default:
		}
		if !answers(ctx) {
			continue
		}
		longest, last = max(longest, time.Since(last)), time.Now()
		if ended {
			break
		}
	}
	result <- longest
}

func answers(ctx context.Context) bool {
	c := http.Client{Timeout: 50 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8099/index.html", nil)
	if err != nil {
		panic(fmt.Sprint("a fixed address is wrong: ", err))
	}
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
