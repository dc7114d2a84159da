package docker

import (
	"encoding/json"
	"testing"
	"time"

	"docker-harden/plan"
	"docker-harden/plan/control"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
)

// A plan may change of a swarm what the profile answers, and nothing else: no other key file, no longer certificates.
func TestChangesSwarm(t *testing.T) {
	load := func(text string) *profile.Profile {
		p, err := profile.Load([]byte("format: docker-harden/profile/v1\nname: site\n"+text), "site.yaml", control.Catalog(Controls()))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	answered := load("controls:\n  docker/swarm-autolock: {params: {key_file: /root/key}}\n  docker/swarm-node-certificates: {params: {hours: 48}}\n")
	open := load("controls:\n  docker/swarm-autolock: {}\n  docker/swarm-node-certificates: {}\n")
	h := &inventory.Host{Engine: inventory.Engine{
		Local: true, Swarm: "active", Cluster: &inventory.SwarmCluster{ID: "s", Managers: 1, CertExpiry: 2160 * time.Hour},
	}}
	change := func(path, to string) plan.Change {
		return plan.Change{Path: path, To: json.RawMessage(to), Kind: plan.KindSwarm}
	}
	for _, tt := range []struct {
		p    *profile.Profile
		c    plan.Change
		want bool
	}{
		{answered, change(plan.AutoLockPath, "true"), true},
		{answered, change(plan.AutoLockPath, "false"), false},
		{answered, change(plan.UnlockKeyFilePath, `"/root/key"`), true},
		{answered, change(plan.UnlockKeyFilePath, `"/etc/shadow"`), false},
		{answered, change(plan.CertExpiryPath, "172800000000000"), true},
		{answered, change(plan.CertExpiryPath, "972800000000000"), false},
		{open, change(plan.AutoLockPath, "true"), false},
		{open, change(plan.CertExpiryPath, "172800000000000"), false},
	} {
		if got := ChangesSwarm(h, tt.p, tt.c); got != tt.want {
			t.Errorf("%s to %s: %t", tt.c.Path, tt.c.To, got)
		}
	}
	for _, path := range []string{plan.AutoLockPath, plan.CertExpiryPath, plan.UnlockKeyFilePath} {
		if !Changes(plan.ResourceSwarm, path) || Changes(plan.ResourceDaemon, path) {
			t.Errorf("%s is no setting of a swarm", path)
		}
	}
	if Changes(plan.ResourceSwarm, "Raft.SnapshotInterval") {
		t.Error("no control asks for it")
	}
}
