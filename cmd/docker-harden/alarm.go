package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/remediate/host"
	"docker-harden/remediate/journal"
)

const (
	alarmDir  = "confirm"     // in a generation: the copy of the program
	alarmFile = "run.json"    // in there: what the copy is to do
	alarmLog  = "confirm.log" // in a generation: what the copy said
)

// alarm is the timer of an apply that waits for its confirm: a copy of this program, which calls
// rollback --unconfirmed.
type alarm struct {
	*app
	c *cli.Context
	// unit starts the engine; empty where systemd does not.
	unit string
}

// saved is what the copy needs to reach the same engine in the same way. It is as private as the
// rollback file beside it.
type saved struct {
	Flags map[string]string `json:"flags"`
	Env   map[string]string `json:"env"`
}

// kept are the variables that the copy needs. What says which engine is meant is not among them: that
// is settled when the timer is armed.
func kept() []string { return []string{"HOME", "PATH", "XDG_RUNTIME_DIR", "DOCKER_API_VERSION"} }

// Plan describes the timer.
func (t alarm) Plan(ctx context.Context, gen *journal.Generation) (json.RawMessage, error) {
	timer, err := t.timer(gen)
	if err != nil {
		return nil, err
	}
	planned, err := timer.Plan(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(planned)
}

// Arm starts it.
func (t alarm) Arm(ctx context.Context, gen *journal.Generation, plan json.RawMessage, within time.Duration) (json.RawMessage, error) {
	at := time.Now().Add(within)
	timer, err := t.timer(gen)
	if err != nil {
		return nil, err
	}
	planned, err := alarmOf(plan)
	if err != nil {
		return nil, err
	}
	armed, err := timer.Arm(ctx, planned, within)
	if err != nil {
		return nil, err
	}
	t.note(t.c, "Armed: generation %d is rolled back at %s unless it is confirmed (%s).",
		gen.N, clockTime(at), clean(armed.String()))
	if armed.By == host.Detached {
		t.note(t.c, "Nothing of this tool runs when this host boots: after a reboot, the next command rolls back.")
	}
	return json.Marshal(armed)
}

// Disarm takes it away.
func (t alarm) Disarm(ctx context.Context, timer json.RawMessage) error {
	armed, err := alarmOf(timer)
	if err != nil {
		return err
	}
	return host.Disarm(ctx, armed)
}

func alarmOf(raw json.RawMessage) (host.Alarm, error) {
	var a host.Alarm
	if err := json.Unmarshal(raw, &a); err != nil || a.Dir == "" {
		return a, fmt.Errorf("cannot read which timer was armed: %w", err)
	}
	return a, nil
}

func (t alarm) timer(gen *journal.Generation) (host.Timer, error) {
	state, err := filepath.Abs(t.stateDir(t.c))
	if err != nil {
		return host.Timer{}, err
	}
	dir, err := filepath.Abs(gen.Dir)
	if err != nil {
		return host.Timer{}, err
	}
	what, err := t.saved()
	if err != nil {
		return host.Timer{}, err
	}
	data, err := json.Marshal(what)
	if err != nil {
		return host.Timer{}, fmt.Errorf("internal error: cannot encode what the timer is to do: %w", err)
	}
	number := strconv.Itoa(gen.N)
	name := number
	if state != defaultState { // another may wait there at the same time
		sum := sha256.Sum256([]byte(state))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	var env []string
	for k, v := range what.Env {
		env = append(env, k+"="+v)
	}
	return host.Timer{
		Name: name, Dir: filepath.Join(dir, alarmDir), Program: "/proc/self/exe", As: program,
		Files: map[string][]byte{alarmFile: data},
		Try:   []string{"version"},
		Args:  []string{"rollback", number, "--unconfirmed", "--state-dir=" + state},
		Env:   env, Log: filepath.Join(dir, alarmLog), After: t.unit,
		Why: fmt.Sprintf("docker-harden: roll generation %d back unless it is confirmed", gen.N),
	}, nil
}

// saved settles which engine is meant, and how to reach it.
func (t alarm) saved() (saved, error) {
	e, err := t.endpoint(t.c)
	if err != nil {
		return saved{}, err
	}
	s := saved{Flags: map[string]string{"host": e.Host}, Env: map[string]string{}}
	for name, path := range map[string]string{"tlscacert": e.CA, "tlscert": e.Cert, "tlskey": e.Key, "config": t.c.String("config")} {
		if path == "" {
			continue
		}
		if s.Flags[name], err = filepath.Abs(path); err != nil {
			return saved{}, err
		}
	}
	if e.TLS {
		s.Flags["tls"] = "true"
		s.Flags["tlsverify"] = strconv.FormatBool(!e.SkipVerify)
	}
	for _, name := range []string{"wait-timeout", "stable"} {
		if t.c.IsSet(name) {
			s.Flags[name] = t.c.Duration(name).String()
		}
	}
	for _, name := range kept() {
		if value := t.getenv(name); value != "" {
			s.Env[name] = value
		}
	}
	return s, nil
}

// clockTime is a time as people read it off a clock; of another day with its date.
func clockTime(t time.Time) string {
	t = t.Local()
	if t.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// left is a duration without what nobody reads.
func left(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
