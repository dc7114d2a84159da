//go:build reliability

package acceptance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// randomSeed makes the same containers every time; it stands in the log of a failure.
const randomSeed = 20261128

// randomContainer is a docker command line for a container that this engine can run.
func randomContainer(r *rand.Rand, name, image string) []string {
	pick := func(choices ...[]string) []string { return choices[r.IntN(len(choices))] }
	some := func(args ...string) []string {
		if r.IntN(2) == 0 {
			return nil
		}
		return args
	}
	verb := []string{"run", "-d"}
	if r.IntN(5) == 0 {
		verb = []string{"create"}
	}
	args := append(verb, "--name", name, "--stop-signal", "KILL", "-e", fmt.Sprintf("N=%d \"quoted\" $HOME", r.IntN(100)))
	for _, part := range [][]string{
		some("--label", fmt.Sprintf("team=%d", r.IntN(9)), "--label", "empty="),
		some("--memory", fmt.Sprintf("%dm", 32+r.IntN(200)), "--memory-swap", "-1"),
		some("--pids-limit", fmt.Sprint(50+r.IntN(400))),
		some("--cpu-shares", fmt.Sprint(2+r.IntN(2000))),
		some("--cap-drop", "MKNOD", "--cap-drop", "NET_RAW"),
		some("--cap-add", "NET_ADMIN"),
		some("--security-opt", "no-new-privileges:true"),
		some("--read-only", "--tmpfs", "/tmp:size=1m"),
		some("--user", "1000:1000"),
		some("--hostname", "host-"+name, "--add-host", "other:10.0.0.1"),
		some("--dns", "10.0.0.53", "--dns-search", "example.org"),
		some("-v", "/anonymous"),
		some("-v", name+"-data:/srv/data:ro"),
		some("--mount", "type=bind,src=/etc/hostname,dst=/opt/name,readonly"),
		some("--ulimit", "nofile=512:1024", "--oom-score-adj", "100"),
		some("--log-opt", "max-size=1m", "--init"),
		some("--health-cmd", "true", "--health-interval", "1s"),
		some("--workdir", "/tmp", "--shm-size", "16m", "--sysctl", "net.ipv4.ip_forward=0"),
		pick(nil, []string{"--restart", "always"}, []string{"--restart", "unless-stopped"}, []string{"--restart", "on-failure:7"}, []string{"--restart", "on-failure"}),
	} {
		args = append(args, part...)
	}
	args = append(args, pick(nil, nil, []string{"--network", "none"}, []string{"--network", "front", "--network-alias", "alias-" + name},
		[]string{"-p", fmt.Sprintf("127.0.0.1:%d:80", 20000+r.IntN(20000))})...)
	return append(args, pick([]string{image, "sleep", "3600"}, []string{"--entrypoint", "", image, "sleep", "3600"}, []string{image, "sh", "-c", "echo $N > /tmp/n; exec sleep 3600"})...)
}

// Random containers: a plan of what was applied is empty, and an apply that is rolled back was nothing at all. Both
// for every container, whatever it is made of.
func TestRandomContainersThereAndBack(t *testing.T) {
	o := newOperator(t)
	r := rand.New(rand.NewPCG(randomSeed, 1))
	t.Logf("seed %d", uint64(randomSeed))
	o.host.Docker(t, "network", "create", "--subnet", "10.91.1.0/24", "front")
	image := o.host.Image(t, "busybox")
	count := 12
	if os.Getenv("DOCKER_HARDEN_TEST_THOROUGH") != "" {
		count = 48
	}
	for i := range count {
		o.host.Docker(t, randomContainer(r, fmt.Sprintf("r%02d", i), image)...)
	}
	o.settle()
	before := o.record("before")
	o.run(0, "plan", "-p", "cis-level1", "container/*", "-o", "host.plan")
	steps := o.plan("host.plan").Steps
	if len(steps) < count/2 {
		t.Fatalf("%d steps only", len(steps))
	}
	o.run(0, "apply", "host.plan", "--yes", "--stable", "100ms")
	if again := o.run(0, "plan", "-p", "cis-level1", "container/*"); !strings.Contains(strings.ToLower(again.stdout), "no changes") {
		t.Error("a plan after the apply still changes something")
	}
	o.run(0, "verify")
	// Limits set live cannot be unset through the API: the plan says so, and --exact recreates instead.
	o.run(0, "rollback", "--yes", "--exact", "--stable", "100ms")
	o.settle()
	o.script("check", before, o.record("after"))
}

// settle waits until no health check is at its beginning: when the first one ends is a matter of time alone.
func (o *operator) settle() {
	o.t.Helper()
	for end := time.Now().Add(30 * time.Second); o.host.Docker(o.t, "ps", "-q", "--filter", "health=starting") != ""; time.Sleep(time.Second / 10) {
		if time.Now().After(end) {
			o.t.Fatal("health checks are still starting")
		}
	}
}
