package main

import (
	"encoding/json"
	"fmt"
)

// pluginMetadata answers the docker CLI, which asks every plugin who it is before it offers it.
func (a *app) pluginMetadata() error {
	data, err := json.Marshal(struct {
		SchemaVersion, Vendor, Version, ShortDescription string
	}{"0.1.0", "docker-harden", toolVersion(), "Harden this Docker host, and bring it back as it was"})
	if err != nil {
		return fmt.Errorf("internal error: cannot encode the metadata: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", data)
	return err
}
