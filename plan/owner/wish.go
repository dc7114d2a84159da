package owner

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"docker-harden/plan"
)

// wish is what a container's settings should become, in parts that commands can be made of.
type wish struct {
	drop, add, opts list // capabilities and security options
	readOnly        bool
	tmpfs           map[string]string // places that are new, or have other options
	memory, swap    *int64
	pids, shares    *int64
	restart         *policy
	networks        list
	check           *check
	ports           portWish
	other           []string // settings that no command is known for
}

// list is a list of words before and after.
type list struct {
	changed  bool
	from, to []string
}

// more and less are what comes in and what goes out.
func (l list) more() []string { return minus(l.to, l.from) }
func (l list) less() []string { return minus(l.from, l.to) }

func minus(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// policy is a restart policy.
type policy struct {
	Name              string `json:"Name"`
	MaximumRetryCount int    `json:"MaximumRetryCount"`
}

// read sorts changes. One whose value has another form than the engine's is left to a person.
func read(changes []plan.Change) wish {
	var w wish
	var portsRead bool
	w.ports, portsRead = readPorts(changes)
	for _, c := range changes {
		if _, _, ok := plan.PortOf(c.Path); ok && portsRead {
			continue
		}
		if c.Path == plan.NetworksPath {
			if l, err := words(c); err == nil {
				w.networks = l
				continue
			}
		}
		if c.Path == plan.HealthcheckPath {
			var to check
			if json.Unmarshal(c.To, &to) == nil && to.words() {
				w.check = &to
				continue
			}
		}
		field, err := strings.TrimPrefix(c.Path, "HostConfig."), error(nil)
		switch field {
		case "CapDrop":
			w.drop, err = capabilities(c)
		case "CapAdd":
			w.add, err = capabilities(c)
		case "SecurityOpt":
			w.opts, err = words(c)
		case "ReadonlyRootfs":
			err = json.Unmarshal(c.To, &w.readOnly)
		case "Tmpfs":
			w.tmpfs, err = places(c)
		case "Memory":
			err = json.Unmarshal(c.To, &w.memory)
		case "MemorySwap":
			err = json.Unmarshal(c.To, &w.swap)
		case "PidsLimit":
			err = json.Unmarshal(c.To, &w.pids)
		case "CpuShares":
			err = json.Unmarshal(c.To, &w.shares)
		case "RestartPolicy":
			err = json.Unmarshal(c.To, &w.restart)
		default:
			w.other = append(w.other, field)
		}
		if err != nil {
			w.other = append(w.other, field)
		}
	}
	return w
}

// unsaid are the settings without a command where networks have none either.
func (w wish) unsaid() []string {
	if w.networks.changed {
		return append(slices.Clone(w.other), "networks")
	}
	return w.other
}

func words(c plan.Change) (l list, err error) {
	l.changed = true
	if len(c.From) > 0 {
		err = json.Unmarshal(c.From, &l.from)
	}
	if err == nil {
		err = json.Unmarshal(c.To, &l.to)
	}
	return l, err
}

// capabilities are in one spelling, whatever the engine was given: NET_RAW.
func capabilities(c plan.Change) (list, error) {
	l, err := words(c)
	for _, side := range [][]string{l.from, l.to} {
		for i := range side {
			side[i] = strings.TrimPrefix(strings.ToUpper(side[i]), "CAP_")
		}
	}
	return l, err
}

func places(c plan.Change) (map[string]string, error) {
	var from, to map[string]string
	if len(c.From) > 0 {
		if err := json.Unmarshal(c.From, &from); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(c.To, &to); err != nil {
		return nil, err
	}
	maps.DeleteFunc(to, func(place, options string) bool {
		have, ok := from[place]
		return ok && have == options
	})
	return to, nil
}

// mount is a tmpfs as docker run --tmpfs and a Compose file take it.
func mount(place, options string) string {
	if options == "" {
		return place
	}
	return place + ":" + options
}

// noNewPrivileges is the form of the option that every engine reads.
const noNewPrivileges = "no-new-privileges:true"
