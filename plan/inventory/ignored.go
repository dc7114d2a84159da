package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// ignoredNames are names that the engine accepts in daemon.json, because a flag of that name exists, and then
// ignores; with the key that was meant.
var ignoredNames = map[string]string{
	"add-runtime": "runtimes", "authorization-plugin": "authorization-plugins", "containerd-plugins-namespace": "containerd-plugin-namespace",
	"default-address-pool": "default-address-pools", "default-ulimit": "default-ulimits", "dns-opt": "dns-opts", "exec-opt": "exec-opts",
	"feature": "features", "host": "hosts", "insecure-registry": "insecure-registries", "label": "labels",
	"registry-mirror": "registry-mirrors", "storage-opt": "storage-opts",
}

// objectKeys are the keys whose value is an object. Any other key with an object passes the engine's check
// unseen: it takes the members for settings, and then uses none of them.
var objectKeys = []string{
	"builder", "cluster-store-opts", "default-network-opts", "default-ulimits", "features", "log-opts", "nri-opts", "proxies", "runtimes",
}

// ignoredKeys says which keys of daemon.json have no effect although somebody wrote them, one sentence each.
func ignoredKeys(keys map[string]json.RawMessage) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value := bytes.TrimSpace(keys[key])
		switch meant, flag := ignoredNames[key]; {
		case flag:
			out = append(out, fmt.Sprintf("the engine accepts the key %q and ignores it; %q was meant", key, meant))
		case len(value) > 0 && value[0] == '{' && !slices.Contains(objectKeys, key):
			out = append(out, fmt.Sprintf("the engine accepts the key %q and ignores it with all that is in it", key))
		}
	}
	return out
}
