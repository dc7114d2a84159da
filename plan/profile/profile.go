// Package profile holds what should be: which controls are on, their parameters, overrides for
// single containers, and exceptions with owner, reason and expiry. Profiles are YAML, read strictly.
// There is no API promise before v1.
package profile

import "time"

// Format is the format version of profile files.
const Format = "docker-harden/profile/v1"

// Profile is one loaded profile, with what it extends already merged in.
type Profile struct {
	Name        string
	Description string
	Source      string // file name, or "embedded:NAME.yaml"
	SHA256      string // hex, of the file's bytes; with extends, of this and the parent's digest
	// Controls that are on, by id.
	Controls map[string]Setting
	// Recreate says how containers are recreated, whatever control asks for it.
	Recreate Recreate
	// Overrides for single containers, in the order of the file; later ones win.
	Overrides []Override
	// Exceptions in the order of the file.
	Exceptions []Exception
}

// Setting is what a profile says of one control.
type Setting struct {
	Params Params
	Line   int // in Source; 0 when inherited
}

// Override changes settings for the containers whose name matches a glob.
type Override struct {
	Match    string // path.Match glob over container names
	Controls map[string]OverrideSetting
	Recreate Recreate // empty members leave the profile's
	Line     int
}

// Recreate is how a container is recreated.
type Recreate struct {
	// WritableLayer is what becomes of files that were written into the container and not into a volume:
	// [plan.LayerCarry] (also when empty) or [plan.LayerRefuse].
	WritableLayer string
}

// OverrideSetting replaces single parameters, or turns a control off for the matched containers.
type OverrideSetting struct {
	Off    bool
	Params Params
}

// Exception accepts a failing control on matching targets until it expires.
type Exception struct {
	Control string // control id
	Target  string // target as in plan.Resource.Match: "daemon", "container/web-*", "host/etc/…"
	Reason  string
	Owner   string
	Expires time.Time // zero: never. Holds to the end of that day, UTC
	Source  string    // the file it stands in: with extends, it can be the parent's
	Line    int       // in Source
}

// Params are a control's parameters by name. Values were checked against the control's Spec, so the
// accessors do not fail: a missing name gives the zero value.
// Types: bool -> bool, integer -> int64, float -> float64, text and choice -> string,
// size ("256MiB") -> int64 bytes, list -> []string.
type Params map[string]any

// Bool returns a bool parameter.
func (p Params) Bool(name string) bool { v, _ := p[name].(bool); return v }

// Int returns an integer or size parameter.
func (p Params) Int(name string) int64 { v, _ := p[name].(int64); return v }

// Float returns a float parameter.
func (p Params) Float(name string) float64 { v, _ := p[name].(float64); return v }

// Text returns a text or choice parameter.
func (p Params) Text(name string) string { v, _ := p[name].(string); return v }

// List returns a list parameter.
func (p Params) List(name string) []string { v, _ := p[name].([]string); return v }

// ParamType is the type of a parameter.
type ParamType string

// The parameter types.
const (
	TypeBool   ParamType = "bool"
	TypeInt    ParamType = "integer"
	TypeFloat  ParamType = "float"
	TypeText   ParamType = "text"
	TypeChoice ParamType = "choice"
	TypeSize   ParamType = "size" // "256MiB", "1g", or bytes
	TypeList   ParamType = "list" // of text
)

// Param declares one parameter of a control.
type Param struct {
	Name    string
	Type    ParamType
	Default any      // of the Go type that Params has for Type
	Choices []string // for TypeChoice, and the allowed elements of a TypeList when not empty
	Min     float64  // for numbers and sizes, when Max > Min
	Max     float64
	Doc     string // one sentence without a full stop
}

// Catalog lists the parameters of every known control by id. The loader refuses what it does not list.
type Catalog map[string][]Param
