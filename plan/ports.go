package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// PortsPath is the path of the published ports of a container, all at once.
const PortsPath = "HostConfig.PortBindings"

// Settings of one published port that can be changed, each by itself: so two controls may change one port without
// knowing of each other.
const (
	PortAddress   = "HostIp"    // where it is published; "": on all addresses
	PortNumber    = "HostPort"  // as which port of the host
	PortPublished = "Published" // whether it is at all
)

// PortBinding is a place on the host where a port of a container is published.
type PortBinding struct {
	HostIP   string `json:"HostIp"`
	HostPort string `json:"HostPort"`
}

// Port is one published port of a container, before any change.
type Port struct {
	Inside string // "80/tcp"
	PortBinding
}

// String writes a port as docker run --publish takes it.
func (p Port) String() string {
	switch {
	case strings.Contains(p.HostIP, ":"):
		return "[" + p.HostIP + "]:" + p.HostPort + ":" + p.Inside
	case p.HostIP != "":
		return p.HostIP + ":" + p.HostPort + ":" + p.Inside
	case p.HostPort != "":
		return p.HostPort + ":" + p.Inside
	}
	return p.Inside
}

// PortPath is the path of a change of one published port: "HostConfig.PortBindings[80:80/tcp].HostIp".
func PortPath(p Port, setting string) string { return PortsPath + "[" + p.String() + "]." + setting }

// PortOf reads what [PortPath] wrote.
func PortOf(path string) (p Port, setting string, ok bool) {
	rest, isPort := strings.CutPrefix(path, PortsPath+"[")
	end := strings.LastIndex(rest, "].")
	if !isPort || end < 0 {
		return p, "", false
	}
	text, setting := rest[:end], rest[end+len("]."):]
	if at := strings.LastIndex(text, ":"); at >= 0 {
		text, p.Inside = text[:at], text[at+1:]
		at = strings.LastIndex(text, ":")
		if at >= 0 {
			p.HostIP = strings.TrimSuffix(strings.TrimPrefix(text[:at], "["), "]")
		}
		p.HostPort = text[at+1:]
	} else {
		p.Inside = text
	}
	known := setting == PortAddress || setting == PortNumber || setting == PortPublished
	return p, setting, known && p.Inside != "" && PortPath(p, setting) == path
}

// ErrNoPort says that a change is about a port that is not published so.
var ErrNoPort = errors.New("no such port is published")

// Publish makes the changes of single ports among published ones. It is the one place that knows what several changes
// of one port make of it; changes of anything else do not count. Ports that end in the same place are one.
func Publish(now map[string][]PortBinding, changes []Change) (map[string][]PortBinding, error) {
	out := maps.Clone(now)
	for _, c := range changes {
		p, _, ok := PortOf(c.Path)
		if !ok {
			continue
		}
		if !slices.Contains(now[p.Inside], p.PortBinding) {
			return nil, fmt.Errorf("%w: %s", ErrNoPort, p)
		}
		list := []PortBinding{}
		for _, b := range now[p.Inside] {
			to, published, err := Port{p.Inside, b}.after(changes)
			if err != nil {
				return nil, err
			}
			if published && !slices.Contains(list, to) {
				list = append(list, to)
			}
		}
		if out[p.Inside] = list; len(list) == 0 {
			delete(out, p.Inside)
		}
	}
	return out, nil
}

// After is where changes leave a port; false: it is not published any more.
func (p Port) After(changes []Change) (to PortBinding, published bool) {
	to, published, err := p.after(changes)
	return to, published && err == nil
}

func (p Port) after(changes []Change) (to PortBinding, published bool, err error) {
	to, published = p.PortBinding, true
	for _, c := range changes {
		of, setting, ok := PortOf(c.Path)
		if !ok || of != p {
			continue
		}
		switch setting {
		case PortAddress:
			err = json.Unmarshal(c.To, &to.HostIP)
		case PortNumber:
			err = json.Unmarshal(c.To, &to.HostPort)
		case PortPublished:
			err = json.Unmarshal(c.To, &published)
		}
		if err != nil {
			return to, published, fmt.Errorf("cannot read the value of %s: %w", c.Path, err)
		}
	}
	return to, published, nil
}

// Is reports whether a value is the one that a setting of the port has.
func (p Port) Is(setting string, value json.RawMessage) bool {
	want := map[string]any{PortAddress: p.HostIP, PortNumber: p.HostPort, PortPublished: true}[setting]
	var have any
	return json.Unmarshal(value, &have) == nil && have == want
}
