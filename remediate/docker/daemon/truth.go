package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"

	"docker-harden/plan"
)

// truths are effective settings as the engine or the kernel shows them, by key, as compact JSON. A key that
// nothing shows is missing.
type truths map[string]string

// defaults are what a key means when it is absent.
var defaults = truths{
	"live-restore": "false", "debug": "false", "experimental": "false", "insecure-registries": "[]",
	"no-new-privileges": "false", "userland-proxy": "true", "icc": "true", "log-level": `"info"`,
	"log-driver": `"json-file"`, "seccomp-profile": `""`, keyAuthorization: "[]", keyRemap: `""`,
}

// reloadable are the keys that a reload makes effective; the engine reads all others at its start only.
var reloadable = []string{"live-restore", "insecure-registries", "debug"}

// nnpShown is the first engine whose /info names no-new-privileges.
const nnpShown = 24

// truthsOf asks for the effective values of some keys. pid is the engine's process.
func truthsOf(ctx context.Context, engine Engine, pid int, keys []string) (truths, error) {
	info, err := engine.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the engine for its settings: %w", err)
	}
	all := truths{
		"live-restore":        strconv.FormatBool(info.LiveRestoreEnabled),
		"debug":               strconv.FormatBool(info.Debug),
		"experimental":        strconv.FormatBool(info.ExperimentalBuild),
		"insecure-registries": insecureRegistries(info.RegistryConfig),
	}
	all[keyRemap] = `""`
	if slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return o == "name=userns" }) {
		all[keyRemap] = isRemapped
	}
	all[keyAuthorization] = listOf(info.Plugins.Authorization)
	if info.LoggingDriver != "" {
		all["log-driver"] = strconv.Quote(info.LoggingDriver)
	}
	if profile, ok := seccompProfile(info.SecurityOptions); ok {
		all["seccomp-profile"] = profile
	}
	if major(info.ServerVersion) >= nnpShown {
		all["no-new-privileges"] = strconv.FormatBool(slices.ContainsFunc(info.SecurityOptions, func(o string) bool {
			return strings.HasPrefix(o, "name=no-new-privileges")
		}))
	}
	if slices.Contains(keys, "icc") {
		if icc, ok := bridgeICC(ctx, engine); ok {
			all["icc"] = icc
		}
	}
	if proxies(pid) > 0 {
		all["userland-proxy"] = "true" // none running says nothing: perhaps no port is published
	}
	for key := range all {
		if !slices.Contains(keys, key) {
			delete(all, key)
		}
	}
	return all, nil
}

// seccompProfile is the engine's default filter, as daemon.json writes it: the built-in one, which engines name
// default or builtin, is "". The path of another one is not shown.
func seccompProfile(options []string) (string, bool) {
	for _, option := range options {
		switch name, _ := strings.CutPrefix(option, "name=seccomp,profile="); name {
		case "default", "builtin":
			return `""`, true
		case "unconfined":
			return `"unconfined"`, true
		}
	}
	return "", false
}

// listOf writes names as daemon.json does, in their order: plugins are asked one after the other.
func listOf(names []string) string {
	raw, err := json.Marshal(append([]string{}, names...))
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(raw)
}

// bridgeICC is whether containers on the default bridge may talk to each other.
func bridgeICC(ctx context.Context, engine Engine) (string, bool) {
	bridge, err := engine.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	if err != nil {
		return "", false // no default bridge: the setting has no effect
	}
	value, ok := bridge.Options["com.docker.network.bridge.enable_icc"]
	return value, ok && (value == "true" || value == "false")
}

// proxies counts the engine's helpers for published ports.
func proxies(pid int) int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	count := 0
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		fields := statFields(child)
		if fields == nil || fields[statParent] != strconv.Itoa(pid) {
			continue
		}
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child)); err == nil && strings.HasPrefix(string(name), "docker-proxy") {
			count++
		}
	}
	return count
}

// insecureRegistries is what the engine really takes for insecure, without the loopback it always adds.
func insecureRegistries(config *registry.ServiceConfig) string {
	var names []string
	if config != nil {
		for _, cidr := range config.InsecureRegistryCIDRs {
			names = append(names, cidr.String())
		}
		for name, index := range config.IndexConfigs {
			if index != nil && !index.Secure {
				names = append(names, name)
			}
		}
	}
	return registrySet(names)
}

// registrySet writes registry names as the engine understands them, sorted.
func registrySet(names []string) string {
	set := []string{}
	for _, name := range names {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "http://"), "https://")
		if prefix, err := netip.ParsePrefix(name); err == nil {
			if prefix.Addr().IsLoopback() {
				continue
			}
			name = prefix.Masked().String()
		}
		set = append(set, name)
	}
	slices.Sort(set)
	raw, err := json.Marshal(slices.Compact(set))
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(raw)
}

// meaning is the effective value that a value in the file leads to.
func meaning(key string, raw json.RawMessage) string {
	if isNull(raw) {
		return defaults[key]
	}
	if key == "insecure-registries" {
		var names []string
		if json.Unmarshal(raw, &names) == nil {
			return registrySet(names)
		}
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return string(raw)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// wanted are the effective values that changes lead to.
func wanted(changes []plan.Change) truths {
	want := truths{}
	for _, change := range changes {
		want[change.Path] = meaning(change.Path, change.To)
		if change.Path == keyRemap {
			want[change.Path] = shownRemap(want[change.Path])
		}
	}
	return want
}

func (t truths) keys() []string {
	keys := make([]string, 0, len(t))
	for key := range t {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// settle is how long a setting may take to show once the engine answers. It says that it reloaded, and answers
// after a start, only when it acts on its file already.
const settle = 3 * time.Second

// prove waits until every wanted value that can be seen is seen.
func (f *flow) prove(ctx context.Context, pid int, want truths) error {
	deadline := time.Now().Add(settle)
	for {
		differs, err := f.differing(ctx, pid, want)
		if err == nil && len(differs) == 0 {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			if err != nil {
				return err
			}
			return fmt.Errorf("the engine does not do what its file says: %s", strings.Join(differs, ", "))
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// differing names what is seen to be otherwise.
func (f *flow) differing(ctx context.Context, pid int, want truths) ([]string, error) {
	have, err := truthsOf(ctx, f.handler.Engine, pid, want.keys())
	if err != nil {
		return nil, err
	}
	var differs []string
	for _, key := range want.keys() {
		if got, shown := have[key]; shown && got != want[key] {
			differs = append(differs, fmt.Sprintf("%s is %s, not %s", key, withoutCredentials(got), withoutCredentials(want[key])))
		}
	}
	return differs, nil
}

// major is the first number of an engine version; 0 when there is none.
func major(version string) int {
	number, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}

// autoRemoveSurvives reports whether live restore keeps --rm containers; it does from 24.0.8 and 25.0.
func autoRemoveSurvives(info system.Info) bool {
	if n := major(info.ServerVersion); n != 24 {
		return n > 24
	}
	_, patch, ok := strings.Cut(info.ServerVersion, "24.0.")
	n, err := strconv.Atoi(strings.SplitN(patch+"-", "-", 2)[0])
	return ok && err == nil && n >= 8
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollEvery):
		return nil
	}
}
