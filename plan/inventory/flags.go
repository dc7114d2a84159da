package inventory

import "strings"

// flagKeys maps flags of dockerd to keys of daemon.json where the two names differ.
var flagKeys = map[string]string{
	"add-runtime":                  "runtimes",
	"authorization-plugin":         "authorization-plugins",
	"cdi-spec-dir":                 "cdi-spec-dirs",
	"cluster-store-opt":            "cluster-store-opts",
	"containerd-plugins-namespace": "containerd-plugin-namespace",
	"default-address-pool":         "default-address-pools",
	"default-network-opt":          "default-network-opts",
	"default-ulimit":               "default-ulimits",
	"dns-opt":                      "dns-opts",
	"exec-opt":                     "exec-opts",
	"feature":                      "features",
	"graph":                        "data-root",
	"host":                         "hosts",
	"insecure-registry":            "insecure-registries",
	"label":                        "labels",
	"log-opt":                      "log-opts",
	"node-generic-resource":        "node-generic-resources",
	"nri-opt":                      "nri-opts",
	"registry-mirror":              "registry-mirrors",
	"storage-opt":                  "storage-opts",
}

// shortFlags are the one-letter flags of dockerd, all versions.
var shortFlags = map[byte]string{
	'D': "debug", 'G': "group", 'H': "host", 'b': "bridge", 'g': "graph", 'h': "help",
	'l': "log-level", 'p': "pidfile", 'r': "restart", 's': "storage-driver", 'v': "version",
}

// boolFlags take a value only behind "=", all versions of dockerd.
var boolFlags = map[string]bool{
	"allow-direct-routing": true,
	"debug":                true, "disable-legacy-registry": true, "enable-cors": true, "experimental": true,
	"help": true, "icc": true, "init": true, "ip-forward": true, "ip-forward-no-drop": true,
	"ip-masq": true, "ip6tables": true, "iptables": true, "ipv6": true, "live-restore": true,
	"no-new-privileges": true, "raw-logs": true, "restart": true, "selinux-enabled": true,
	"tls": true, "tlsverify": true, "userland-proxy": true, "validate": true, "version": true,
}

// ParseFlags reads the command line of an engine as the engine does and returns what it sets, by
// daemon.json key, each with every value in order. A switch without a value counts as "true".
// The program's own name may lead argv.
func ParseFlags(argv []string) map[string][]string {
	flags := map[string][]string{}
	set := func(name, value string) {
		if key, ok := flagKeys[name]; ok {
			name = key
		}
		flags[name] = append(flags[name], value)
	}
	if len(argv) > 0 && !strings.HasPrefix(argv[0], "-") {
		argv = argv[1:]
	}
	for len(argv) > 0 {
		arg := argv[0]
		argv = argv[1:]
		switch {
		case arg == "--":
			return flags
		case strings.HasPrefix(arg, "--"):
			argv = longFlag(arg[2:], argv, set)
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			argv = shortFlagGroup(arg[1:], argv, set)
		}
	}
	return flags
}

// longFlag reads one flag with two dashes and returns the arguments behind it.
func longFlag(flag string, rest []string, set func(name, value string)) []string {
	if name, value, ok := strings.Cut(flag, "="); ok {
		set(name, value)
		return rest
	}
	if boolFlags[flag] {
		set(flag, "true")
		return rest
	}
	return flagValue(flag, rest, set)
}

// shortFlagGroup reads one-letter flags written together ("-Dl warn", "-Hunix:///run/x").
func shortFlagGroup(group string, rest []string, set func(name, value string)) []string {
	for len(group) > 0 {
		name, known := shortFlags[group[0]]
		group = group[1:]
		switch {
		case !known:
			return rest
		case strings.HasPrefix(group, "="):
			set(name, group[1:])
			return rest
		case boolFlags[name]:
			set(name, "true")
		case group != "":
			set(name, group)
			return rest
		default:
			return flagValue(name, rest, set)
		}
	}
	return rest
}

// flagValue takes the next argument as a flag's value. The engine has no positional arguments, so
// a flag that is followed by another flag, or by nothing, is a switch this table does not know.
func flagValue(name string, rest []string, set func(name, value string)) []string {
	if len(rest) == 0 || len(rest[0]) > 1 && strings.HasPrefix(rest[0], "-") {
		set(name, "true")
		return rest
	}
	set(name, rest[0])
	return rest[1:]
}
