package plan

import "fmt"

// Advice is what a person has to do elsewhere, because something other than this tool makes
// containers again: the plan cannot change them, or what it changes would not last. It is for
// reading; nothing acts on it.
type Advice struct {
	// Owner is what makes the containers: "Swarm service web", "Compose project shop".
	Owner string `json:"owner"`
	// Targets are the containers, as plans name them.
	Targets []string `json:"targets"`
	// Text says what has to be done and why, a sentence an entry.
	Text []string `json:"text"`
	// Copy are lines to copy as they stand: commands of a shell, quoted, or a part of a file. A line
	// that starts with # is a remark.
	Copy []string `json:"copy,omitempty"`
	// File is the file that was written with the plan, for Compose.
	File string `json:"file,omitempty"`
}

// Wishes joins what findings of one resource want its owner to change, as [Build] joins changes.
func Wishes(findings []Finding) ([]Change, error) {
	var step Step
	for i := range findings {
		for _, c := range findings[i].Wanted {
			if err := mergeChange(&step, c, findings[i].Control); err != nil {
				return nil, fmt.Errorf("internal error: cannot merge %s of %s: %w", c.Path, findings[i].Resource, err)
			}
		}
	}
	return step.Changes, nil
}
