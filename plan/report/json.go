package report

import (
	"encoding/json"
	"fmt"
	"io"

	"docker-harden/plan"
)

// JSON writes a plan as its file would be (docs/schema/plan.v1.schema.json), so that what a pipeline
// prints can be saved and applied.
func JSON(w io.Writer, p *plan.Plan) error {
	data, _, err := plan.Encode(p)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// writeJSON writes one indented JSON document.
func writeJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode report: %w", err)
	}
	_, err = w.Write(append(plan.Visible(data), '\n'))
	return err
}
