package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"docker-harden/plan/inventory"
	"docker-harden/plan/scan"
)

// readScans reads the reports of --scan; nil: there is none.
func readScans(files []string) ([]*scan.Report, error) {
	var out []*scan.Report
	for _, name := range files {
		data, err := readReport(name)
		if err != nil {
			return nil, err
		}
		r, err := scan.Read(name, data)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func readReport(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot open the scanner's report: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, scan.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the scanner's report: %w", err)
	}
	if len(data) > scan.MaxSize {
		return nil, fmt.Errorf("cannot read the scanner's report %s: it has more than %d MiB", name, scan.MaxSize>>20)
	}
	return data, nil
}

// strangers says which reports are about no image of a container here: a slip that would look like a clean image.
func (a *app) strangers(c *cli.Context, h *inventory.Host) {
	used := map[*scan.Report]bool{}
	for i := range h.Containers {
		for _, r := range h.ScansOf(&h.Containers[i]) {
			used[r] = true
		}
	}
	for _, r := range h.Scans {
		if !used[r] {
			a.note(c, "The report %s is about image %s, which no container on this host uses.", clean(r.File), clean(r.Image))
		}
	}
}
