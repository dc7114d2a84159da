package body

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Provider is a container that others are bound to, and the one that takes its place.
type Provider struct {
	ID, Name string // as the container knows it that is bound to it
	Now      string // id of the one to bind to instead
}

// Rebind returns the request with everything that names one of the providers naming the one that took
// its place. Links name containers by id then: while names are swapped, a name means the wrong one.
func (r *Request) Rebind(providers []Provider) (*Request, error) {
	config, err := decodeObject(r.Create)
	if err != nil {
		return nil, fmt.Errorf("cannot read the create request: %w", err)
	}
	host := config.child("HostConfig")
	out := *r
	out.Transforms = slices.Clone(r.Transforms)
	moved := false
	for _, key := range []string{"NetworkMode", "PidMode", "IpcMode"} {
		ref, ok := strings.CutPrefix(host.text(key), "container:")
		if p := providerOf(providers, ref); ok && p != nil {
			host.set(key, "container:"+p.Now)
			out.Transforms = append(out.Transforms, Transform{Path: "HostConfig." + key, Why: "it is bound to the new container " + p.Name})
			moved = true
		}
	}
	if list := host.strings("Links"); host.relink(list, providers) {
		host.set("Links", list)
		out.Transforms = append(out.Transforms, Transform{Path: linksField, Why: "it is linked to the new container", Free: true})
		moved = true
	}
	if !moved {
		return r, nil
	}
	config["HostConfig"] = encode(host)
	out.Create = encode(config)
	return &out, nil
}

const linksField = "HostConfig.Links"

// relink rewrites "/target:/owner/alias" of the default bridge, where a link is a bond to a container. On
// other networks it is a name, which stays right by itself.
func (o object) relink(list []string, providers []Provider) bool {
	if m := mainNetwork(o.text("NetworkMode")); m != bridge {
		return false
	}
	moved := false
	for i, link := range list {
		target, alias, _ := strings.Cut(link, ":")
		if p := providerOf(providers, strings.TrimPrefix(target, "/")); p != nil {
			list[i], moved = p.Now+":"+path.Base(alias), true
		}
	}
	return moved
}

func providerOf(providers []Provider, ref string) *Provider {
	for i := range providers {
		if p := &providers[i]; ref != "" && (ref == p.ID || ref == p.Name) {
			return p
		}
	}
	return nil
}

// SameLinks reports whether two containers are linked to the same names under the same aliases.
func SameLinks(a, b []string) bool { return Equal(linksField, encode(a), encode(b)) }
