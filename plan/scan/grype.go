package scan

import (
	"encoding/json"
	"fmt"
	"time"
)

// grypeReport is what is used of Grype's JSON report.
type grypeReport struct {
	Matches []struct {
		Vulnerability struct {
			ID       string `json:"id"`
			Severity string `json:"severity"`
			Fix      struct {
				State string `json:"state"` // fixed, not-fixed, wont-fix, unknown
			} `json:"fix"`
		} `json:"vulnerability"`
		Artifact struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"artifact"`
	} `json:"matches"`
	Source struct {
		Type   string          `json:"type"`
		Target json.RawMessage `json:"target"` // an object for images, a text for directories
	} `json:"source"`
	Descriptor struct {
		Name      string    `json:"name"`
		Version   string    `json:"version"`
		Timestamp time.Time `json:"timestamp"`
	} `json:"descriptor"`
}

type grypeImage struct {
	UserInput   string   `json:"userInput"`
	ImageID     string   `json:"imageID"`
	Tags        []string `json:"tags"`
	RepoDigests []string `json:"repoDigests"`
}

func grype(data []byte) (*Report, error) {
	var in grypeReport
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("%s", problem(data, err))
	}
	if in.Descriptor.Name != "grype" {
		return nil, fmt.Errorf("it was made by %q and not by grype", in.Descriptor.Name)
	}
	if in.Source.Type != "image" {
		return nil, fmt.Errorf("it is about a %q, not about an image", in.Source.Type)
	}
	var image grypeImage
	if err := json.Unmarshal(in.Source.Target, &image); err != nil {
		return nil, fmt.Errorf("cannot make sense of source.target: %w", err)
	}
	t := newTally()
	for _, m := range in.Matches {
		if m.Vulnerability.ID == "" {
			return nil, fmt.Errorf("a match of package %q has no vulnerability.id", m.Artifact.Name)
		}
		t.add([3]string{m.Vulnerability.ID, m.Artifact.Name, m.Artifact.Version}, severity(m.Vulnerability.Severity), m.Vulnerability.Fix.State == "fixed")
	}
	return &Report{
		Scanner: "grype", Version: in.Descriptor.Version, Made: in.Descriptor.Timestamp.UTC(), Image: image.UserInput,
		ID: image.ImageID, Digests: image.RepoDigests, Tags: image.Tags, Counts: t.counts,
	}, nil
}
