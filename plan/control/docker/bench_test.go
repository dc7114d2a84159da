package docker

import (
	"fmt"
	"testing"

	"docker-harden/plan/control"
	"docker-harden/plan/profile"
)

// BenchmarkEvaluate judges 200 containers by every control.
func BenchmarkEvaluate(b *testing.B) {
	h := ordinaryHost()
	for i := range 200 {
		h.Containers = append(h.Containers, ordinaryContainer(fmt.Sprintf("web-%03d", i)))
	}
	p := &profile.Profile{Controls: map[string]profile.Setting{}}
	for _, c := range Controls() {
		p.Controls[c.ID] = profile.Setting{}
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := control.Evaluate(h, p, Controls(), now); len(got) < 200*15 {
			b.Fatalf("%d findings", len(got))
		}
	}
}
