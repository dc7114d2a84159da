package control

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"docker-harden/plan/inventory"
)

// PendingText is why nothing is reloaded or restarted while somebody else's edit of daemon.json waits.
func PendingText(h *inventory.Host) string {
	what := "no key of it is seen to differ from what is in effect"
	if keys := pendingKeys(h); len(keys) > 0 {
		what = "keys not seen in effect: " + strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s was changed after the engine started; a restart would also activate that edit (%s): make sure that the engine can start with it, restart the engine yourself, then plan again",
		h.Daemon.ConfigPath, what)
}

// pendingKeys are the keys that a start may change: those of the file that the engine does not show to be
// in effect, and those in effect that neither file nor flags give any more.
func pendingKeys(h *inventory.Host) []string {
	keys := map[string]bool{}
	shown := effective(h)
	for key, raw := range h.Daemon.Keys {
		if want := strings.TrimSpace(string(raw)); want != "null" && shown[key] != want {
			keys[key] = true
		}
	}
	for key, usual := range map[string]string{
		"live-restore": "false", "debug": "false", "experimental": "false", "icc": "true", "insecure-registries": "[]",
	} {
		_, file := h.Daemon.Keys[key]
		_, flag := h.Daemon.Flags[key]
		if now := shown[key]; !file && !flag && now != "" && now != usual {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// effective are the settings that the running engine shows, as they would stand in daemon.json.
func effective(h *inventory.Host) map[string]string {
	e := &h.Engine
	shown := map[string]string{
		"live-restore": strconv.FormatBool(e.LiveRestore), "debug": strconv.FormatBool(e.Debug),
		"experimental": strconv.FormatBool(e.Experimental), "icc": e.Bridge["com.docker.network.bridge.enable_icc"],
	}
	for key, value := range map[string]string{
		"log-driver": e.LoggingDriver, "storage-driver": e.StorageDriver, "data-root": e.RootDir, "default-runtime": e.DefaultRuntime,
	} {
		if raw, err := json.Marshal(value); err == nil && value != "" {
			shown[key] = string(raw)
		}
	}
	var registries []string
	raw := strings.TrimSpace(string(h.Daemon.Keys["insecure-registries"]))
	switch {
	case json.Unmarshal([]byte(raw), &registries) == nil && slices.Equal(slices.Sorted(slices.Values(registries)), e.InsecureRegistries):
		shown["insecure-registries"] = raw
	case len(e.InsecureRegistries) == 0:
		shown["insecure-registries"] = "[]"
	default:
		shown["insecure-registries"] = strings.Join(e.InsecureRegistries, ", ")
	}
	return shown
}

// flagDrift names the flags that the next start gives otherwise than the running engine has them: an edited
// unit, drop-in or environment file.
func flagDrift(h *inventory.Host) []string {
	if len(h.Daemon.Argv) == 0 || len(h.Daemon.NextArgv) == 0 {
		return nil
	}
	now, next := inventory.ParseFlags(h.Daemon.Argv), inventory.ParseFlags(h.Daemon.NextArgv)
	names := map[string]bool{}
	for key := range now {
		if !slices.Equal(now[key], next[key]) {
			names[FlagName(key)] = true
		}
	}
	for key := range next {
		if _, ok := now[key]; !ok {
			names[FlagName(key)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
