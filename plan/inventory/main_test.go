package inventory

import (
	"testing"

	"docker-harden/cmd/testhost/host"
	"docker-harden/cmd/testhost/leak"
)

// TestMain runs the tests inside an isolated Docker host, on its real default paths.
func TestMain(m *testing.M) { host.Main(leak.Checked(m)) }
