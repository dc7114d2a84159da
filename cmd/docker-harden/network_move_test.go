package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/cmd/reliability/row"
	"docker-harden/cmd/testhost/host"
)

// moveProfile moves every container to a network, sets a limit of each, and has one made again.
const moveProfile = `format: docker-harden/profile/v1
name: move
controls:
  docker/no-new-privileges: {}
  docker/pids-limit: {}
  docker/default-bridge: {params: {network: shop}}
containers:
  - {match: web, controls: {docker/no-new-privileges: off}}
`

const movedAddress = "127.0.0.1:18080"

// TestNetworkMove moves a container that serves from the default bridge to the network that the profile names: it
// serves on without a restart, stays there when it and the engine restart, and comes back. A container that has to be
// recreated anyway is made on that network.
func TestNetworkMove(t *testing.T) {
	row.Record(t, row.Row{
		Table: row.Recreate, ID: "20", Case: "default bridge, moved to another network",
		Apply:    "live where nothing else needs a recreate: same process, port pauses for less than a second; holds through restarts of container and engine",
		Rollback: "live: on the default bridge again, same process, same port",
	})
	h := host.Here(t)
	s := newPerson(t, "IMAGE="+h.Image(t, "busybox"))
	if err := os.WriteFile(filepath.Join(s.dir, "move.yaml"), []byte(moveProfile), 0o644); err != nil {
		t.Fatal(err)
	}
	const httpd = `sh -c 'mkdir -p /www; echo served >/www/index.html; busybox httpd -p 80 -h /www; trap exit TERM; while :; do sleep 1; done'`
	s.run("docker network create shop && docker run -d --name web --restart always -p " + movedAddress + ":80 $IMAGE " + httpd +
		" && docker run -d --name again $IMAGE sh -c 'trap exit TERM; while :; do sleep 1; done'")
	const (
		on    = `docker inspect -f '{{range $name, $end := .NetworkSettings.Networks}}{{$name}} {{end}}{{.HostConfig.NetworkMode}}' `
		which = `docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web`
		rest  = `docker inspect -f '{{json .HostConfig.PortBindings}} {{json .Config}} {{json .HostConfig.RestartPolicy}} {{json .NetworkSettings.Ports}}' web`
	)
	served(t, time.Minute)
	process, before := s.run(which), s.run(rest)
	mode := s.run("docker inspect -f '{{.HostConfig.NetworkMode}}' web") // newer engines call the default one bridge

	plan := s.run("docker-harden plan -p move.yaml -o host.plan")
	for _, want := range []string{"N container/web", "[bridge] -> [shop]", "open connections end", "-/+ container/again", "N network move"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	away := watch(t, func() { s.run("docker-harden apply host.plan -y --stable 1s") })
	if got := s.run(on + "web"); got != "shop "+mode {
		t.Errorf("after the apply it is on %s", got)
	}
	if got := s.run(on + "again"); got != "shop shop" {
		t.Errorf("the container that was made again is on %s", got)
	}
	if got := s.run(which); got != process {
		t.Errorf("it was restarted: %s, before %s", got, process)
	}
	if away > 10*time.Second {
		t.Errorf("its port was away for %s", away)
	}
	if again := s.run("docker-harden plan -p move.yaml && docker-harden status"); !strings.Contains(again, "No changes.") {
		t.Errorf("%s", again)
	}

	h.Restart(t) // it stops and starts its containers
	served(t, time.Minute)
	if got := s.run(on + "web"); got != "shop "+mode || s.run(which) == process {
		t.Errorf("after a restart of the engine it is on %s", got)
	}

	process = s.run(which)
	watch(t, func() { s.run("docker start again >/dev/null; docker-harden rollback -y --stable 1s") })
	if got := s.run(on + "web"); got != "bridge "+mode {
		t.Errorf("after the rollback it is on %s", got)
	}
	if got := s.run(on + "again"); got != "bridge "+mode {
		t.Errorf("after the rollback the old container is on %s", got)
	}
	if got := s.run(which); got != process {
		t.Errorf("the rollback restarted it: %s, before %s", got, process)
	}
	if after := s.run(rest); after != before {
		t.Errorf("after the rollback\n%s\nbefore\n%s", after, before)
	}
}

// served waits until the container answers.
func served(t *testing.T, most time.Duration) {
	t.Helper()
	var err error
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = ask(t.Context()); err == nil {
			return
		}
	}
	t.Fatalf("it does not serve: %v", err)
}

// watch asks the container again and again while something is done, and says how long it was away at most. It serves
// when all is done.
func watch(t *testing.T, do func()) time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	longest := make(chan time.Duration)
	go func() {
		var worst time.Duration
		last := time.Now()
		for ctx.Err() == nil {
			if ask(ctx) == nil {
				worst, last = max(worst, time.Since(last)), time.Now()
			}
			time.Sleep(20 * time.Millisecond)
		}
		longest <- worst
	}()
	defer stop()
	do()
	served(t, time.Minute)
	time.Sleep(100 * time.Millisecond) // the watcher sees it too
	stop()
	return <-longest
}

// ask fetches the one page there is, over a connection of its own.
func ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+movedAddress+"/", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err == nil && string(page) != "served\n" {
		err = fmt.Errorf("it answered %q", page)
	}
	return err
}
