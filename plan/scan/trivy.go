package scan

import (
	"encoding/json"
	"fmt"
	"time"
)

// trivyReport is what is used of Trivy's JSON report (its schema version 2).
type trivyReport struct {
	SchemaVersion int
	CreatedAt     time.Time
	Trivy         struct{ Version string }
	ArtifactName  string
	ArtifactType  string
	Metadata      struct {
		ImageID     string
		RepoTags    []string
		RepoDigests []string
	}
	Results []struct {
		Vulnerabilities []struct {
			VulnerabilityID  string
			PkgName          string
			InstalledVersion string
			FixedVersion     string
			Severity         string
		}
	}
}

func trivy(data []byte) (*Report, error) {
	const schema = 2
	var in trivyReport
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("%s", problem(data, err))
	}
	if in.SchemaVersion != schema {
		return nil, fmt.Errorf("its schema version is %d, this version reads %d", in.SchemaVersion, schema)
	}
	if in.ArtifactType != "container_image" {
		return nil, fmt.Errorf("it is about a %q, not about an image; make it with trivy image", in.ArtifactType)
	}
	t := newTally()
	for _, result := range in.Results {
		for _, v := range result.Vulnerabilities {
			if v.VulnerabilityID == "" {
				return nil, fmt.Errorf("a vulnerability of package %q has no VulnerabilityID", v.PkgName)
			}
			t.add([3]string{v.VulnerabilityID, v.PkgName, v.InstalledVersion}, severity(v.Severity), v.FixedVersion != "")
		}
	}
	return &Report{
		Scanner: "trivy", Version: in.Trivy.Version, Made: in.CreatedAt.UTC(), Image: in.ArtifactName,
		ID: in.Metadata.ImageID, Digests: in.Metadata.RepoDigests, Tags: in.Metadata.RepoTags, Counts: t.counts,
	}, nil
}
