package acceptance

import (
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan/evidence/trace"
)

// BenchmarkWatchedNginx measures what watching costs a web server: processor time of the container for one request,
// with the programs of learn attached against that without. Both are the least of runs in turn, in one run: what
// else the machine does only adds.
func BenchmarkWatchedNginx(b *testing.B) {
	const address = "127.0.0.1:8093"
	h := host.Here(b)
	h.Docker(b, "run", "-d", "--name", "web", "--stop-signal", "KILL", "-p", address+":80", h.Image(b, "nginx"))
	id := h.Docker(b, "inspect", "-f", "{{.Id}}", "web")
	for b.Loop() {
		plain, watched := math.Inf(1), math.Inf(1)
		for range 15 {
			plain = min(plain, perRequest(b, id, "http://"+address))
			r, err := trace.Start()
			if err != nil {
				b.Fatal(err)
			}
			watched = min(watched, perRequest(b, id, "http://"+address))
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(plain, "us/plain")
		b.ReportMetric(watched, "us/watched")
		b.ReportMetric(watched/plain, "watched/plain")
	}
}

// perRequest is the processor time that a container takes for one request, in microseconds.
func perRequest(b *testing.B, id, url string) float64 {
	b.Helper()
	const requests = 3000
	ask := func() error {
		answer, err := http.Get(url) //nolint:gosec,noctx // of this test's own server
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	for deadline := time.Now().Add(time.Minute); ask() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("nginx does not answer")
		}
	}
	before := spent(b, id)
	for range requests {
		if err := ask(); err != nil {
			b.Fatal(err)
		}
	}
	return (spent(b, id) - before) / requests
}

// spent is the processor time of a container until now, in microseconds.
func spent(b *testing.B, id string) float64 {
	b.Helper()
	found, _ := filepath.Glob("/sys/fs/cgroup/cpu*/*/" + id + "/cpuacct.usage")
	if len(found) == 0 {
		b.Fatal("the container has no processor accounting")
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(string(data)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns / 1000
}
