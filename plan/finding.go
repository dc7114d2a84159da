package plan

import "time"

// Status is the verdict of a control on a resource.
type Status string

// The verdicts. "Could not look" is unknown, never pass.
const (
	Pass          Status = "pass"
	Fail          Status = "fail"
	Manual        Status = "manual"         // needs an answer from a person; Question asks it
	Excepted      Status = "excepted"       // fails, and an exception that has not expired covers it
	NotApplicable Status = "not-applicable" // Message says which fact makes it so
	Unknown       Status = "unknown"        // could not be judged; Message says what could not be read
)

// Finding is the verdict of one control on one resource, with the changes that would satisfy it.
type Finding struct {
	Control  string   `json:"control"`
	Resource Resource `json:"resource"`
	Status   Status   `json:"status"`
	// Message is what was seen, as one sentence without a full stop.
	Message string `json:"message"`
	// Question is what a person has to decide, with the YAML key that answers it; for Manual only.
	Question string `json:"question,omitempty"`
	// Blocked is why a failing setting cannot be changed here ("owned by Swarm service web: use docker service update").
	// A blocked finding has no Changes.
	Blocked string `json:"blocked,omitempty"`
	// Reason is the code of why it is reported and not changed; empty where the control changes things.
	Reason Reason `json:"reason,omitempty"`
	// Changes are what would satisfy the control; only for Fail.
	Changes []Change `json:"changes,omitempty"`
	// Wanted are the changes of a blocked finding that the owner of the container would have to make.
	// They are never applied.
	Wanted   []Change   `json:"wanted,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
	// Risk is what making the changes may break.
	Risk Risk `json:"risk,omitzero"`
	// Notes are lines printed under the step ("2 files in the writable layer carried over").
	Notes []string `json:"notes,omitempty"`
	// Downtime is the estimated time in seconds during which the resource's service is away, for recreates.
	Downtime  float64    `json:"downtime_seconds,omitempty"`
	Exception *Exception `json:"exception,omitempty"`
	// WritableLayer is what a recreate does with files in the writable layer; see [Step.WritableLayer].
	WritableLayer string `json:"writable_layer,omitempty"`
}

// Reason is why a finding is reported only, for whatever host: a code that reports can be searched for.
type Reason string

// The reasons.
const (
	// NeedsReplatform: the host or the engine has to be set up anew; data has to move.
	NeedsReplatform Reason = "needs-replatform"
	// NeedsImageRebuild: the image has to be built anew.
	NeedsImageRebuild Reason = "needs-image-rebuild"
	// NeedsPolicy: what is right depends on the organisation, not on the host.
	NeedsPolicy Reason = "policy"
	// NeedsAttestation: nothing on the host shows it; a person says how it is seen to.
	NeedsAttestation Reason = "attestation"
)

// Evidence is one fact a verdict rests on.
type Evidence struct {
	Name   string `json:"name"`   // "NoNewPrivs", "working set"
	Value  string `json:"value"`  // "0", "91 MiB"
	Source string `json:"source"` // "/proc/PID/status", "cgroup memory.stat", "inspect"
}

// Exception is the accepted risk that covers a finding.
type Exception struct {
	Reason  string    `json:"reason"`
	Owner   string    `json:"owner"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// RiskLevel grades what a change may break.
type RiskLevel string

// The risk levels, lowest first. The zero value counts as low.
const (
	RiskLow    RiskLevel = "low"
	RiskMedium RiskLevel = "medium"
	RiskHigh   RiskLevel = "high"
)

// Rank orders risk levels: low 0, medium 1, high 2.
func (l RiskLevel) Rank() int {
	switch l {
	case RiskMedium:
		return 1
	case RiskHigh:
		return 2
	}
	return 0
}

// Risk is a level and the reasons for it, each one sentence without a full stop.
type Risk struct {
	Level   RiskLevel `json:"level"`
	Reasons []string  `json:"reasons,omitempty"`
}

// Raise returns the risk with a reason added and the level raised to at least level.
func (r Risk) Raise(level RiskLevel, reason string) Risk {
	if level.Rank() >= r.Level.Rank() {
		r.Level = level
	}
	for _, have := range r.Reasons {
		if have == reason {
			return r
		}
	}
	r.Reasons = append(append([]string(nil), r.Reasons...), reason)
	return r
}
