package plan

// Ran is a container that ran when the host was observed for an apply. It is kept in the rollback file, so
// that a container which ended since is noticed also by a resume, which has not seen the host before.
type Ran struct {
	Name string `json:"name"`
	// Restarted: its restart policy had started it again already, so more of that is no news.
	Restarted bool `json:"restarted,omitempty"`
}
