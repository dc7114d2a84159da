package scan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const trivyText = `{
  "SchemaVersion": 2, "CreatedAt": "2026-06-09T05:00:00.123+02:00", "Trivy": {"Version": "0.58.1"},
  "ArtifactName": "shop/web:3", "ArtifactType": "container_image",
  "Metadata": {
    "OS": {"Family": "debian", "Name": "12.5"}, "ImageID": "sha256:aaaa",
    "RepoTags": ["shop/web:3"], "RepoDigests": ["shop/web@sha256:dddd"]
  },
  "Results": [
    {"Target": "shop/web:3 (debian 12.5)", "Class": "os-pkgs", "Vulnerabilities": [
      {"VulnerabilityID": "CVE-1", "PkgName": "libssl3", "InstalledVersion": "3.0.11", "FixedVersion": "3.0.13", "Severity": "CRITICAL"},
      {"VulnerabilityID": "CVE-2", "PkgName": "zlib1g", "InstalledVersion": "1.2.13", "Status": "will_not_fix", "Severity": "CRITICAL"},
      {"VulnerabilityID": "CVE-3", "PkgName": "tar", "InstalledVersion": "1.34", "Severity": "LOW"},
      {"VulnerabilityID": "CVE-4", "PkgName": "apt", "InstalledVersion": "2.6", "Severity": "SURPRISING"}
    ]},
    {"Target": "app/go.mod", "Class": "lang-pkgs"},
    {"Target": "again", "Vulnerabilities": [
      {"VulnerabilityID": "CVE-1", "PkgName": "libssl3", "InstalledVersion": "3.0.11", "FixedVersion": "3.0.13", "Severity": "CRITICAL"}
    ]}
  ]
}`

const grypeText = `{
  "matches": [
    {"vulnerability": {"id": "CVE-1", "severity": "Critical", "fix": {"versions": ["3.0.13"], "state": "fixed"}}, "artifact": {"name": "libssl3", "version": "3.0.11"}},
    {"vulnerability": {"id": "CVE-3", "severity": "Negligible", "fix": {"versions": [], "state": "wont-fix"}}, "artifact": {"name": "tar", "version": "1.34"}}
  ],
  "source": {"type": "image", "target": {"userInput": "shop/web:3", "imageID": "sha256:aaaa", "manifestDigest": "sha256:mmmm", "tags": ["shop/web:3"], "repoDigests": []}},
  "distro": {"name": "debian"},
  "descriptor": {"name": "grype", "version": "0.87.0", "timestamp": "2026-06-09T03:00:00Z"}
}`

func TestRead(t *testing.T) {
	made := time.Date(2026, 6, 9, 3, 0, 0, 123e6, time.UTC)
	for name, tt := range map[string]struct {
		text string
		want *Report
	}{
		"trivy.json": {trivyText, &Report{
			File: "trivy.json", Scanner: "trivy", Version: "0.58.1", Made: made, Image: "shop/web:3", ID: "sha256:aaaa",
			Tags: []string{"shop/web:3"}, Digests: []string{"shop/web@sha256:dddd"},
			Counts: map[Severity]Count{Critical: {2, 1}, Low: {1, 0}, Unrated: {1, 0}},
		}},
		"grype.json": {grypeText, &Report{
			File: "grype.json", Scanner: "grype", Version: "0.87.0", Made: made.Truncate(time.Second), Image: "shop/web:3", ID: "sha256:aaaa",
			Tags: []string{"shop/web:3"}, Digests: []string{}, Counts: map[Severity]Count{Critical: {1, 1}, Negligible: {1, 0}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(name, []byte(tt.text))
			if d := cmp.Diff(tt.want, got); d != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for want, text := range map[string]string{
		`r.json: line 3: invalid character`:                            "{\n\"SchemaVersion\": 2,\nx}",
		`r.json: it is none of Trivy's or Grype's in JSON; make it`:    `{"version": "2.1.0", "runs": []}`,
		`r.json: line 1: json: cannot unmarshal array`:                 `[]`,
		`line 1: unexpected end`:                                       ``,
		`its schema version is 1, this version reads 2`:                strings.Replace(trivyText, `"SchemaVersion": 2`, `"SchemaVersion": 1`, 1),
		`it is about a "filesystem", not about an image; make it with`: strings.Replace(trivyText, `container_image`, `filesystem`, 1),
		`a vulnerability of package "tar" has no VulnerabilityID`:      strings.Replace(trivyText, `CVE-3`, ``, 1),
		`r.json: parsing time "yesterday"`:                             strings.Replace(trivyText, `2026-06-09T05:00:00.123+02:00`, `yesterday`, 1),
		`line 12: json: cannot unmarshal number into Go struct field`:  strings.Replace(trivyText, `"LOW"`, `3`, 1),
		`it was made by "other" and not by grype`:                      strings.Replace(grypeText, `"name": "grype"`, `"name": "other"`, 1),
		`it is about a "directory", not about an image`:                strings.Replace(grypeText, `"type": "image"`, `"type": "directory"`, 1),
		`cannot make sense of source.target`:                           strings.Replace(grypeText, `{"userInput": "shop/web:3", "imageID": "sha256:aaaa", "manifestDigest": "sha256:mmmm", "tags": ["shop/web:3"], "repoDigests": []}`, `"/srv"`, 1),
		`a match of package "tar" has no vulnerability.id`:             strings.Replace(grypeText, `CVE-3`, ``, 1),
		`r.json: it does not say which image it is about`:              `{"SchemaVersion": 2, "ArtifactName": "", "ArtifactType": "container_image"}`,
	} {
		if _, err := Read("r.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAbout(t *testing.T) {
	const id = "sha256:aaaa"
	digests, tags := []string{"shop/web@sha256:dddd"}, []string{"shop/web:3", "shop/web:latest"}
	for name, tt := range map[string]struct {
		r    Report
		want bool
	}{
		"id":                           {Report{ID: id}, true},
		"digest of another store's id": {Report{ID: "sha256:manifest", Digests: digests}, true},
		"digest":                       {Report{Digests: digests}, true},
		"tag that moved":               {Report{ID: "sha256:older", Tags: tags}, false},
		"another repository's digest":  {Report{Digests: []string{"other@sha256:dddd"}, Tags: tags}, false},
		"tag and nothing else":         {Report{Tags: []string{"shop/web:latest"}}, true},
		"as it was asked for":          {Report{Image: "shop/web:3"}, true},
		"another image":                {Report{Image: "db:1", Tags: []string{"db:1"}}, false},
	} {
		if got := tt.r.About(id, digests, tags); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAtLeast(t *testing.T) {
	r := Report{Counts: map[Severity]Count{Unrated: {1, 1}, Low: {2, 0}, High: {4, 3}, Critical: {8, 5}}}
	for least, want := range map[Severity]Count{Unrated: {15, 9}, Negligible: {14, 8}, Low: {14, 8}, Medium: {12, 8}, High: {12, 8}, Critical: {8, 5}} {
		if got := r.AtLeast(least); got != want {
			t.Errorf("%s: %v, want %v", least, got, want)
		}
	}
}

// FuzzRead: no report makes it panic, and what it takes can be kept in a snapshot.
func FuzzRead(f *testing.F) {
	f.Add([]byte(trivyText))
	f.Add([]byte(grypeText))
	f.Add([]byte(strings.Replace(trivyText, "2026-06-09T05:00:00.123+02:00", "9999-12-31T23:59:59-23:00", 1)))
	f.Add([]byte(`{"matches":[],"descriptor":{"name":"grype"},"source":{"type":"image","target":{"userInput":"a"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read("r", data)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
		if err != nil {
			return
		}
		kept, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again Report
		if err := json.Unmarshal(kept, &again); err != nil {
			t.Fatalf("%s: %v", kept, err)
		}
	})
}
