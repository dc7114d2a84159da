package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scanReport writes a Trivy report about an image with one critical vulnerability that has a fix.
func scanReport(t *testing.T, image string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scan.json")
	write(t, file, fmt.Sprintf(`{"SchemaVersion": 2, "CreatedAt": %q, "ArtifactName": "shop/web:3", "ArtifactType": "container_image",
		"Metadata": {"ImageID": %q}, "Results": [{"Vulnerabilities": [
		{"VulnerabilityID": "CVE-1", "PkgName": "libssl3", "InstalledVersion": "3.0.11", "FixedVersion": "3.0.13", "Severity": "CRITICAL"}]}]}`,
		time.Now().UTC().Format(time.RFC3339), image))
	return file
}

// TestScan: a scanner's report is judged with the host, and one about nothing here is not taken for a clean image.
func TestScan(t *testing.T) {
	snapshot := save(t, "web")
	check := func(files ...string) (int, string, string) {
		args := []string{"check", "--from", snapshot, "--only", "docker/image-vulnerabilities"}
		for _, f := range files {
			args = append(args, "--scan", f)
		}
		return runApp(t, args...)
	}
	broken := filepath.Join(t.TempDir(), "broken.json")
	write(t, broken, "{\n  \"SchemaVersion\": 2,\n")
	for name, tt := range map[string]struct {
		files        []string
		code         int
		stdout, want string
	}{
		"none":    {nil, 0, "", ""},
		"about":   {[]string{scanReport(t, fmt.Sprintf("sha256:%064x", 9))}, 2, "vulnerabilities of its image that are high or worse: 1, of which 1 have a fix", ""},
		"other":   {[]string{scanReport(t, "sha256:other")}, 1, "none of the reports that were given is about its image", "about image shop/web:3, which no container on this host uses"},
		"missing": {[]string{filepath.Join(t.TempDir(), "gone.json")}, 1, "", "cannot open the scanner's report"},
		"broken":  {[]string{broken}, 1, "", "broken.json: line 3: unexpected end of JSON input"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := check(tt.files...)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
			}
		})
	}
}
