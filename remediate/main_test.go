package remediate_test

import (
	"os"
	"testing"

	"docker-harden/cmd/testhost/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Checked(m).Run()) }
