package inventory

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"docker-harden/plan"
)

// SwarmCluster is what a manager shows of its swarm.
type SwarmCluster struct {
	ID         string        `json:"id,omitempty"`
	Managers   int           `json:"managers,omitempty"`
	Nodes      int           `json:"nodes,omitempty"` // managers among them
	AutoLock   bool          `json:"auto_lock"`
	CertExpiry time.Duration `json:"cert_expiry_ns"` // of certificates of nodes, from their next renewal on
	// Disk is what lies on this manager's disk; nil: it could not be read.
	Disk *SwarmDisk `json:"disk,omitempty"`
}

// SwarmDisk is what a manager keeps below the engine's directory (swarm/certificates).
type SwarmDisk struct {
	// Encrypted: the node's key can be read with the unlock key only.
	Encrypted bool `json:"encrypted"`
	// From and Until are those of the node's own certificate.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// clusterOf is what an engine says of the swarm that it manages; nil: it manages none.
func clusterOf(info swarm.Info) *SwarmCluster {
	cluster := info.Cluster
	if !info.ControlAvailable || cluster == nil {
		return nil
	}
	return &SwarmCluster{
		ID: cluster.ID, Managers: info.Managers, Nodes: info.Nodes,
		AutoLock: cluster.Spec.EncryptionConfig.AutoLockManagers, CertExpiry: cluster.Spec.CAConfig.NodeCertExpiry,
	}
}

// basis is the swarm's configuration, as far as it is changed here.
func (s *SwarmCluster) basis() (plan.Basis, bool) {
	if s == nil {
		return nil, false
	}
	return plan.Basis{
		"id": s.ID, plan.AutoLockPath: strconv.FormatBool(s.AutoLock), plan.CertExpiryPath: s.CertExpiry.String(),
	}, true
}

// SwarmNodeFile is the path of a file of the node's own: "swarm-node.key" or "swarm-node.crt". root is the engine's
// directory.
func SwarmNodeFile(root, name string) string {
	return strings.TrimSuffix(root, "/") + "/swarm/certificates/" + name
}

// KeyEncrypted reports whether the text of a node's key is readable with the unlock key only, and whether it is the text
// of a key at all.
func KeyEncrypted(text []byte) (encrypted, isKey bool) {
	block, _ := pem.Decode(text)
	if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return false, false
	}
	// Older engines write the legacy form, which says it in a header.
	return strings.HasPrefix(block.Type, "ENCRYPTED ") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"), true
}

// swarmDisk reads what lies on the disk of a manager; nil: it could not be read.
func (r hostRoot) swarmDisk(root string) *SwarmDisk {
	const limit = 1 << 20
	key, err := r.readFile(SwarmNodeFile(root, "swarm-node.key"), limit)
	if err != nil {
		return nil
	}
	text, err := r.readFile(SwarmNodeFile(root, "swarm-node.crt"), limit)
	if err != nil {
		return nil
	}
	encrypted, isKey := KeyEncrypted(key)
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if !isKey || block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return &SwarmDisk{Encrypted: encrypted, From: cert.NotBefore, Until: cert.NotAfter}
}
