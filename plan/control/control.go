// Package control is the rulebook's frame: what a control is, and how a profile's controls are
// evaluated over an inventory. The controls themselves are in plan/control/docker.
// There is no API promise before v1.
package control

import (
	"docker-harden/plan"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// Control is one rule: the state it wants, why, what it may break, and how it is judged.
// Exactly one of Host and Container is set.
type Control struct {
	ID    string // "docker/no-new-privileges": stable; benchmark numbers move between versions, so they are data
	Title string // the state it wants, as a sentence without a full stop
	Why   string // the threat, for the person whose service is about to be restarted
	Risk  string // what the change can break
	Fix   string // how it is fixed and undone
	// Refs: "cis-docker-1.2.0", "cis-docker-1.6.0", "cis-docker-1.8.0", and "stride" with its letters ("E", "S,E").
	Refs map[string]string
	// Class is what apply does about it at most; a test holds it against what the control's fixture shows.
	Class Class
	// Verified is the source of truth of the verdict, as a phrase without a full stop ("GET /info (Driver)").
	Verified string
	// Severity: low, medium, high.
	Severity plan.RiskLevel
	// Params the control understands, with defaults.
	Params []profile.Param
	// History is true when the verdict needs to know how images were built, which costs a request for each.
	History bool
	// Programs is true when the verdict needs to know which files of images give privileges, which takes a look at every
	// file of every layer.
	Programs bool
	// Host judges the daemon or host files.
	Host func(h *inventory.Host, p profile.Params) []plan.Finding
	// Container judges one container. Only containers that could be inspected are passed, several at
	// once: nothing that is passed may be changed, the parameters neither.
	Container func(h *inventory.Host, c *inventory.Container, p profile.Params) plan.Finding
}
