package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"docker-harden/plan"
	"docker-harden/remediate/internal/atomic"
)

// Begin is what a generation starts from.
type Begin struct {
	// Plan is the plan file as reviewed; kept beside the rollback file. Empty after Load: see [Generation.PlanFile].
	Plan       []byte       `json:"-"`
	PlanSHA256 string       `json:"plan_sha256"` // of the plan, hex, as [plan.Encode] gives it
	Profile    plan.Profile `json:"profile"`
	Host       plan.Host    `json:"host"`
	Tool       string       `json:"tool"` // version of docker-harden
	Message    string       `json:"message,omitempty"`
	Steps      []plan.Step  `json:"steps"` // in the order they are made
	// Ran are the containers of the steps that ran before. Generations of earlier versions have none.
	Ran []plan.Ran `json:"ran,omitempty"`
}

// beginData is the data of the begin record.
type beginData struct {
	Format     string `json:"format"`
	Generation int    `json:"generation"`
	// Guarded: an end file belongs to the generation. Generations of earlier versions have none.
	Guarded bool `json:"guarded,omitempty"`
	Begin
}

// check refuses what no later reader could make sense of.
func (b Begin) check() error {
	seen := make(map[string]bool)
	for _, s := range b.Steps {
		if s.ID == "" || seen[s.ID] {
			return fmt.Errorf("internal error: the step id %q is empty or used twice", s.ID)
		}
		seen[s.ID] = true
	}
	return nil
}

// readBegin reads the first record of generation n, and whether an end file belongs to it.
func readBegin(r Record, n int) (b Begin, guarded bool, err error) {
	var head struct {
		Format     string `json:"format"`
		Generation int    `json:"generation"`
	}
	if r.Kind != KindBegin || json.Unmarshal(r.Data, &head) != nil {
		return Begin{}, false, errors.New("it is not the begin record of a rollback file")
	}
	if head.Format != Format {
		return Begin{}, false, fmt.Errorf("its format is %q, this version reads %q; use the version of docker-harden that wrote it", head.Format, Format)
	}
	if head.Generation != n {
		return Begin{}, false, fmt.Errorf("it belongs to generation %d", head.Generation)
	}
	var data beginData
	if json.Unmarshal(r.Data, &data) != nil {
		return Begin{}, false, errors.New("it is not the begin record of a rollback file")
	}
	return data.Begin, data.Guarded, data.Begin.check()
}

// maxPlan bounds a kept plan file.
const maxPlan = 64 << 20

// PlanFile reads the plan as it was reviewed and checks that it is the one that was applied.
// Rollback does not need it.
func (g *Generation) PlanFile() ([]byte, error) {
	path := filepath.Join(g.Dir, PlanName)
	data, err := atomic.ReadFile(path, maxPlan)
	if err != nil {
		return nil, err
	}
	_, sum, err := plan.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if sum != g.Begin.PlanSHA256 {
		return nil, fmt.Errorf("%s is not the plan that was applied: its sha256 is %.12s, generation %d was %.12s", path, sum, g.N, g.Begin.PlanSHA256)
	}
	return data, nil
}
