package profile

import (
	"maps"
	"path"
	"slices"
	"time"

	"docker-harden/plan"
)

// ParamsFor gives the parameters of a control: the declared defaults, then the profile's, then those
// of every override that matches the container, in order. on is false when the control is not to be
// judged there. container is empty for controls of the host.
func (p *Profile) ParamsFor(control, container string, spec []Param) (params Params, on bool) {
	setting, on := p.Controls[control]
	params = make(Params, len(spec))
	for _, s := range spec {
		params[s.Name] = s.Default
	}
	maps.Copy(params, setting.Params)
	if on && container != "" {
		on = p.override(params, control, container)
	}
	for name, v := range params { // a caller that sorts or appends must not change the profile
		if list, ok := v.([]string); ok {
			params[name] = slices.Clone(list)
		}
	}
	return params, on
}

// override applies the matching overrides to params and says whether the control is still on.
func (p *Profile) override(params Params, control, container string) bool {
	on := true
	for _, o := range p.Overrides {
		s, has := o.Controls[control]
		if !has {
			continue
		}
		if ok, err := path.Match(o.Match, container); err != nil || !ok {
			continue // Load has refused malformed patterns
		}
		on = !s.Off
		maps.Copy(params, s.Params)
	}
	return on
}

// RecreateOf gives how a container is recreated: what the profile says, then every override that
// matches, in order.
func (p *Profile) RecreateOf(container string) Recreate {
	r := p.Recreate
	for _, o := range p.Overrides {
		if ok, err := path.Match(o.Match, container); err != nil || !ok {
			continue // Load has refused malformed patterns
		}
		if o.Recreate.WritableLayer != "" {
			r.WritableLayer = o.Recreate.WritableLayer
		}
	}
	if r.WritableLayer == "" {
		r.WritableLayer = plan.LayerCarry
	}
	return r
}

// ExceptionFor finds the exception that covers a control on a resource: the first that matches and
// has not expired; else the first that matches, with expired true; else nil.
func (p *Profile) ExceptionFor(control string, r plan.Resource, now time.Time) (e *Exception, expired bool) {
	for i := range p.Exceptions {
		candidate := &p.Exceptions[i]
		if candidate.Control != control {
			continue
		}
		if ok, err := r.Match(candidate.Target); err != nil || !ok {
			continue
		}
		if !candidate.Expired(now) {
			return candidate, false
		}
		if e == nil {
			e = candidate
		}
	}
	return e, e != nil
}

// Expired reports whether the exception no longer holds at time now. It holds to the end of its last day, UTC.
func (e *Exception) Expired(now time.Time) bool {
	return !e.Expires.IsZero() && !now.Before(e.Expires.AddDate(0, 0, 1))
}
