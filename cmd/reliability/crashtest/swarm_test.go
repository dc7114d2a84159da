//go:build reliability

package crashtest

import (
	"os"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/swarm"

	"docker-harden/cmd/testhost/host"
	"docker-harden/plan/inventory"
)

// keyFile is where the key of locked managers goes.
const keyFile = dir + "/unlock-key"

const renewAnswer = `format: docker-harden/profile/v1
name: swarm
controls:
  docker/swarm-node-certificates: {params: {hours: 48}}
`

const lockAnswer = renewAnswer + `  docker/swarm-autolock: {params: {key_file: ` + keyFile + `}}
`

// manager makes a host the only manager of a swarm.
func manager(answer string) func(*testing.T, *host.Host) {
	return func(t *testing.T, h *host.Host) {
		answers(t, h, answer)
		h.Docker(t, "swarm", "init", "--advertise-addr", "127.0.0.1")
	}
}

// swarm adds the settings of a swarm, and whether its key is where it should be.
func (v view) swarm(h *host.Host, s swarm.Info) {
	if s.Cluster == nil {
		return
	}
	v["swarm"] = string(s.LocalNodeState) + " " + text(s.Cluster.Spec)
	node, err := os.ReadFile(h.Path(inventory.SwarmNodeFile("/var/lib/docker", "swarm-node.key")))
	encrypted, isKey := inventory.KeyEncrypted(node)
	v["key of the node"] = text([]any{encrypted, isKey, err})
	data, err := os.ReadFile(h.Path(keyFile))
	v["key file"] = text([]any{strings.HasPrefix(string(data), "SWMKEY-"), os.IsNotExist(err)})
}
