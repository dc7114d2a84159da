package network

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"docker-harden/plan"
	"docker-harden/remediate"
)

// moved makes a step and returns its record.
func moved(t *testing.T, m *Mover, s plan.Step) json.RawMessage {
	t.Helper()
	ctx := context.Background()
	undo, err := m.Prepare(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Do(ctx, s, undo, quiet{}); err != nil {
		t.Fatal(err)
	}
	return undo
}

func TestMoveAndBack(t *testing.T) {
	for name, tt := range map[string]struct {
		also         []string // networks besides the default bridge
		from, to     string
		there, again []string
	}{
		"alone": {
			nil, `["bridge"]`, `["shop"]`,
			[]string{"connect shop", "disconnect bridge"},
			[]string{"connect bridge", "disconnect shop"},
		},
		"beside another": {
			[]string{"back"},
			`["back","bridge"]`, `["back","shop"]`,
			[]string{"connect shop", "disconnect bridge"},
			[]string{"connect bridge", "disconnect shop"},
		},
		"there already": {
			[]string{"shop"},
			`["bridge","shop"]`, `["shop"]`,
			[]string{"disconnect bridge"},
			[]string{"connect bridge"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, l, m := rig(t)
			for _, other := range tt.also {
				f.web.NetworkSettings.Networks[other] = &network.EndpointSettings{NetworkID: f.networks[other].ID}
			}
			f.web.NetworkSettings.Networks["bridge"].DriverOpts = map[string]string{"kept": "yes"}
			f.routes()
			s := step(tt.from, tt.to)
			undo := moved(t, m, s)
			if is, _ := json.Marshal(f.on()); string(is) != tt.to || !slices.Equal(f.calls, tt.there) {
				t.Fatalf("it is on %s after %v", is, f.calls)
			}
			f.calls = nil
			for _, nothing := range []bool{false, true} {
				out, err := m.Undo(context.Background(), s, remediate.Record{Undo: undo})
				if err != nil || out.Nothing != nothing || (out.How == plan.Exact) != nothing {
					t.Fatalf("%+v %v", out, err)
				}
			}
			if is, _ := json.Marshal(f.on()); string(is) != tt.from || !slices.Equal(f.calls, tt.again) {
				t.Fatalf("it is on %s after %v", is, f.calls)
			}
			if f.web.NetworkSettings.Networks["bridge"].DriverOpts["kept"] != "yes" {
				t.Error("what was chosen of its place on the default bridge is lost")
			}
			if len(l.calls) > 0 {
				t.Errorf("limits: %v", l.calls)
			}
		})
	}
}

// TestKilled ends the program at each call that changes something, before and after the engine made it, on the way
// there and on the way back; whoever undoes then brings the container home, and a second try moves it.
func TestKilled(t *testing.T) {
	s := step(`["bridge"]`, `["shop"]`, "HostConfig.Memory")
	ctx := context.Background()
	for at := 1; at <= 2; at++ {
		for _, after := range []bool{false, true} {
			f, l, m := rig(t)
			undo, err := m.Prepare(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			f.dieAt, f.after = at, after
			if err := m.Do(ctx, s, undo, quiet{}); err == nil {
				t.Fatalf("call %d: not killed", at)
			}
			if len(f.on()) == 0 {
				t.Errorf("call %d: it is on no network", at)
			}
			f.dieAt, f.made = at, 0
			if _, err := m.Undo(ctx, s, remediate.Record{Undo: undo}); err == nil && f.made >= at {
				t.Errorf("call %d of the undo: not killed", at)
			}
			if len(f.on()) == 0 {
				t.Errorf("call %d of the undo: it is on no network", at)
			}
			f.dieAt, f.made = 0, 0
			if _, err := m.Undo(ctx, s, remediate.Record{Undo: undo}); err != nil {
				t.Fatalf("call %d, after %t: %v", at, after, err)
			}
			if !slices.Equal(f.on(), []string{"bridge"}) || l.set {
				t.Errorf("call %d: it is on %v", at, f.on())
			}
			moved(t, m, s)
			if !slices.Equal(f.on(), []string{"shop"}) || !l.set {
				t.Errorf("call %d: it is on %v", at, f.on())
			}
		}
	}
}

// Limits of the same step are set before the move and go back after it.
func TestLimits(t *testing.T) {
	f, l, m := rig(t)
	s := step(`["bridge"]`, `["shop"]`, "HostConfig.Memory")
	undo := moved(t, m, s)
	r := remediate.Record{Undo: undo}
	if err := m.Commit(context.Background(), s, r); err != nil {
		t.Fatal(err)
	}
	out, err := m.Undo(context.Background(), s, r)
	if err != nil || out.How != plan.Functional || !slices.Contains(out.Notes, "a limit is lifted") {
		t.Errorf("%+v %v", out, err)
	}
	want := []string{"prepare update HostConfig.Memory", `do {"was":1}`, `commit {"was":1}`, `undo {"was":1}`}
	if !slices.Equal(l.calls, want) {
		t.Errorf("%v", l.calls)
	}
	f.gone = true
	if out, err := m.Undo(context.Background(), s, r); err != nil || !out.Nothing {
		t.Errorf("a container that an exact undo made again: %+v %v", out, err)
	}
	l.fail = errors.New("no memory")
	f, l2, m := rig(t)
	l2.fail = l.fail
	if _, err := m.Prepare(context.Background(), s); err == nil || len(f.calls) > 0 {
		t.Errorf("%v %v", err, f.calls)
	}
}

func TestPrepareRefuses(t *testing.T) {
	good := step(`["bridge"]`, `["shop"]`)
	host := func(f *fake, do func(*container.HostConfig)) { do(f.web.HostConfig) }
	for name, tt := range map[string]struct {
		step  plan.Step
		spoil func(*fake)
		is    error
		says  string
	}{
		"gone":        {good, func(f *fake) { f.gone = true }, plan.ErrStale, "no longer exists"},
		"renamed":     {good, func(f *fake) { f.web.Name = "/x\x1b" }, plan.ErrStale, "called x?"},
		"moved since": {good, func(f *fake) { f.web.NetworkSettings.Networks["back"] = &network.EndpointSettings{} }, plan.ErrStale, "is on back, bridge now"},
		"dead":        {good, func(f *fake) { f.web.State.Dead, f.web.State.Status = true, "dead" }, remediate.ErrRefused, "is dead"},
		"looping":     {good, func(f *fake) { f.web.State.Restarting, f.web.State.Status = true, "restarting" }, remediate.ErrRefused, "restarting"},
		"host network": {
			good, func(f *fake) { host(f, func(h *container.HostConfig) { h.NetworkMode = "host" }) }, remediate.ErrRefused,
			"no network of its own",
		},
		"compose": {good, func(f *fake) {
			f.web.Config.Labels = map[string]string{"com.docker.compose.project": "blog", "com.docker.compose.service": "web"}
		}, remediate.ErrRefused, "belongs to compose"},
		"linked": {good, func(f *fake) { host(f, func(h *container.HostConfig) { h.Links = []string{"/db:/web/db"} }) }, remediate.ErrRefused, "is linked to others"},
		"linked to": {good, func(f *fake) {
			f.others = []container.Summary{{ID: "other", Names: []string{"/other"}}, {ID: webID, Names: []string{"/app/front"}}}
		}, remediate.ErrRefused, "app is linked to web as front"},
		"listens there": {good, func(f *fake) {
			f.proc("tcp", "  sl  local_address rem_address   st\n   0: 020011AC:0050 00000000:0000 0A 0\n")
		}, remediate.ErrRefused, "172.17.0.2, tcp port 80"},
		"hears there": {good, func(f *fake) {
			f.proc("udp", "  sl  local_address rem_address   st\n   0: 020011AC:0035 00000000:0000 07 0\n")
		}, remediate.ErrRefused, "udp port 53"},
		"no such network": {step(`["bridge"]`, `["nowhere"]`), nil, remediate.ErrRefused, "docker network create"},
		"beginning of id": {step(`["bridge"]`, `["111"]`), nil, remediate.ErrRefused, "no network 111"},
		"overlay":         {step(`["bridge"]`, `["wide"]`), nil, remediate.ErrRefused, "driver overlay"},
		"internal": {good, func(f *fake) {
			n := f.networks["shop"]
			n.Internal = true
			f.networks["shop"] = n
		}, remediate.ErrRefused, "is internal"},
		"to host":          {step(`["bridge"]`, `["host"]`), nil, nil, "cannot move a container to"},
		"to none":          {step(`["bridge"]`, `[]`), nil, nil, "cannot move a container from"},
		"to two":           {step(`["bridge"]`, `["back","shop"]`), nil, nil, "cannot move a container to"},
		"to a container":   {step(`["bridge"]`, `["container:db"]`), nil, nil, "cannot move a container to"},
		"staying":          {step(`["bridge"]`, `["bridge","shop"]`), nil, nil, "cannot move a container"},
		"from elsewhere":   {step(`["back"]`, `["shop"]`), nil, nil, "cannot move a container from"},
		"loses one":        {step(`["back","bridge"]`, `["shop"]`), nil, nil, "cannot move a container from"},
		"no list":          {step(`"bridge"`, `["shop"]`), nil, nil, "no list of networks"},
		"something else":   {plan.Step{Changes: []plan.Change{{Path: "HostConfig.NetworkMode", Kind: plan.KindRecreate}}}, nil, nil, "cannot make a change of HostConfig.NetworkMode"},
		"nothing to do":    {plan.Step{}, nil, nil, "moves no network"},
		"two moves at all": {plan.Step{Changes: append(slices.Clone(good.Changes), good.Changes...)}, nil, nil, "cannot make a change of NetworkSettings.Networks"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, m := rig(t)
			if tt.spoil != nil {
				tt.spoil(f)
			}
			_, err := m.Prepare(context.Background(), tt.step)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
			if len(f.calls) > 0 {
				t.Errorf("it changed something: %v", f.calls)
			}
		})
	}
}

// What may look like a listener on the address and is none does not keep a container from being moved.
func TestPrepareAdmits(t *testing.T) {
	for name, spoil := range map[string]func(*fake){
		"a connection":     func(f *fake) { f.proc("tcp", "x\n 0: 020011AC:0050 010011AC:9999 01 0\n") },
		"every address":    func(f *fake) { f.proc("tcp", "x\n 0: 00000000:0050 00000000:0000 0A 0\n") },
		"a client of DNS":  func(f *fake) { f.proc("udp", "x\n 0: 020011AC:9999 08080808:0035 01 0\n") },
		"odd lines":        func(f *fake) { f.proc("tcp", "x\n0\n 0: zz:50 00000000:0000 0A\n 0: 020011AC 0:0 0A 0\n") },
		"no UDP at all":    func(f *fake) { _ = os.Remove(filepath.Join(f.root, "proc/4711/net/udp")) },
		"links of another": func(f *fake) { f.others = []container.Summary{{ID: "db", Names: []string{"/db", "/app/db"}}} },
		"stands still": func(f *fake) {
			f.web.State.Running, f.web.State.Pid, f.web.State.Status = false, 0, "exited"
			f.web.NetworkSettings.Ports = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, m := rig(t)
			spoil(f)
			moved(t, m, step(`["bridge"]`, `["shop"]`))
			if !slices.Equal(f.on(), []string{"shop"}) {
				t.Errorf("it is on %v", f.on())
			}
		})
	}
}

// TestDoProves: an engine's yes is no proof.
func TestDoProves(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*fake)
		says  string
	}{
		"not in the kernel": {func(f *fake) { f.proc("route", "") }, "the kernel does not connect it to shop"},
		"still there": {func(f *fake) {
			if len(f.calls) == 2 {
				f.proc("route", "x\neth0 000011AC 00000000 1 0 0 0 0000FFFF\neth1 000012AC 00000000 1 0 0 0 0000FFFF\n")
			}
		}, "the kernel still connects it to bridge"},
		"port lost": {func(f *fake) { f.web.NetworkSettings.Ports = nat.PortMap{} }, "port 80/tcp is no longer published on 127.0.0.1:8080"},
		"port moved": {func(f *fake) {
			f.web.NetworkSettings.Ports = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "9999"}}}
		}, "no longer published"},
		"vanished":  {func(f *fake) { f.gone = true }, "has vanished"},
		"restarted": {func(f *fake) { f.web.State.StartedAt = "2027-01-01T00:00:00Z" }, "ended after it was moved"},
		"unhealthy": {func(f *fake) { f.web.State.Health = &container.Health{Status: "unhealthy"} }, "became unhealthy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _, m := rig(t)
			f.web.State.Health = &container.Health{Status: container.Healthy}
			s := step(`["bridge"]`, `["shop"]`)
			undo, err := m.Prepare(context.Background(), s)
			if err != nil {
				t.Fatal(err)
			}
			f.spoil = tt.spoil
			if err := m.Do(context.Background(), s, undo, quiet{}); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestUndoLeavesOthersAlone(t *testing.T) {
	ctx := context.Background()
	s := step(`["bridge"]`, `["shop"]`)
	f, _, m := rig(t)
	undo := moved(t, m, s)
	f.web.NetworkSettings.Networks["back"] = &network.EndpointSettings{NetworkID: f.networks["back"].ID}
	f.routes()
	if _, err := m.Undo(ctx, s, remediate.Record{Undo: undo}); !errors.Is(err, remediate.ErrDrifted) {
		t.Fatalf("%v", err)
	}
	if _, err := m.Undo(ctx, s, remediate.Record{Undo: undo, Force: true}); err != nil || !slices.Equal(f.on(), []string{"back", "bridge"}) {
		t.Fatalf("%v %v", f.on(), err)
	}
	f.gone = true
	if _, err := m.Undo(ctx, s, remediate.Record{Undo: undo}); !errors.Is(err, remediate.ErrDrifted) {
		t.Fatalf("%v", err)
	}
	for _, bad := range []string{"", "{}", `{"format":"docker-harden/network-move/v1"}`, `{"format":"x","id":"y","left":{"name":"bridge"}}`} {
		r := remediate.Record{Undo: json.RawMessage(bad)}
		if _, err := m.Undo(ctx, s, r); err == nil {
			t.Errorf("%q was undone", bad)
		}
		if m.Commit(ctx, s, r) == nil || m.Do(ctx, s, r.Undo, quiet{}) == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// The network of a container that stands still may be removed meanwhile; and the default bridge has another id since
// the engine restarted.
func TestUndoAfterChangesAround(t *testing.T) {
	f, _, m := rig(t)
	f.web.State.Running, f.web.State.Pid = false, 0
	s := step(`["bridge"]`, `["shop"]`)
	undo := moved(t, m, s)
	n := f.networks["shop"]
	n.ID = strings.Repeat("f", 64)
	f.networks["shop"] = n
	n = f.networks["bridge"]
	n.ID = strings.Repeat("e", 64)
	f.networks["bridge"] = n
	out, err := m.Undo(context.Background(), s, remediate.Record{Undo: undo})
	if err != nil || out.How != plan.Functional || !slices.Equal(f.on(), []string{"bridge"}) {
		t.Fatalf("%+v %v %v", out, f.on(), err)
	}
}

// A container that is gone needs nothing, and by force the host is not stuck with it.
func TestUndoOfOneThatIsGone(t *testing.T) {
	f, _, m := rig(t)
	s := step(`["bridge"]`, `["shop"]`)
	undo := moved(t, m, s)
	f.gone = true
	if _, err := m.Undo(context.Background(), s, remediate.Record{Undo: undo}); !errors.Is(err, remediate.ErrDrifted) {
		t.Errorf("%v", err)
	}
	if out, err := m.Undo(context.Background(), s, remediate.Record{Undo: undo, Force: true}); err != nil || !out.Nothing || out.How != plan.Functional {
		t.Errorf("by force: %+v %v", out, err)
	}
}

// A MAC address that somebody chose stands in the engine's own file, and would not come back.
func TestChosenMAC(t *testing.T) {
	for text, want := range map[string]string{
		`{"NetworkSettings":{"Networks":{"bridge":{"DesiredMacAddress":"02:00:00:00:00:01"}}}}`: "02:00:00:00:00:01",
		`{"Config":{"MacAddress":"02:00:00:00:00:02"}}`:                                         "02:00:00:00:00:02",
		`{"NetworkSettings":{"Networks":{"shop":{"DesiredMacAddress":"02:00:00:00:00:03"}}}}`:   "",
		`{"NetworkSettings":{"Networks":{"bridge":{"MacAddress":"02:42:ac:11:00:02"}}}}`:        "",
	} {
		f, _, m := rig(t)
		dir := filepath.Join(f.root, "nowhere/docker/containers", webID)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "config.v2.json"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := m.Prepare(context.Background(), step(`["bridge"]`, `["shop"]`))
		if refused := errors.Is(err, remediate.ErrRefused) && strings.Contains(err.Error(), want); refused != (want != "") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
