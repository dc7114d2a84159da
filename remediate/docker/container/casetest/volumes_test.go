package casetest

import (
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
	"docker-harden/plan"
)

// named are the members in which volumes without a name appear by the name the engine gave them.
var named = []string{"HostConfig.Binds", "HostConfig.Mounts", "HostConfig.VolumesFrom"}

func TestVolumes(t *testing.T) {
	const kept = "same volume, same data"
	play(t, []scene{
		{
			Row:  row.Row{ID: "1", Case: "VOLUME of the image with data", Apply: kept, Rollback: kept},
			name: "imagevolume", image: "anonvol", other: named, shows: "{{len .Mounts}}",
			ready: func(s *stage) { s.sh("echo mine >/data/mine") }, inside: "cat /data/mine /data/hello",
		},
		{
			Row:  row.Row{ID: "2", Case: "anonymous volume of -v /x", Apply: kept, Rollback: kept},
			name: "pathvolume", args: []string{"-v", "/x"}, other: named,
			ready: func(s *stage) { s.sh("echo mine >/x/mine") }, inside: "cat /x/mine",
		},
		{
			Row:  row.Row{ID: "3", Case: "anonymous volume of --mount without a source", Apply: kept, Rollback: kept},
			name: "mountvolume", args: []string{"--mount", "type=volume,dst=/x"}, other: named,
			ready: func(s *stage) { s.sh("echo mine >/x/mine") }, inside: "cat /x/mine",
		},
		{
			Row:  row.Row{ID: "4", Case: "named volume through Mounts alone", Apply: "attached once", Rollback: kept},
			name: "mounted", args: []string{"--mount", "type=volume,src=mounted-data,dst=/x"},
			ready: func(s *stage) { s.sh("echo mine >/x/mine") }, inside: "cat /x/mine",
		},
		{
			Row:  row.Row{ID: "5", Case: "emptied anonymous volume where the image has content", Apply: "still empty", Rollback: "still empty"},
			name: "emptied", image: "anonvol", other: named,
			ready: func(s *stage) { s.sh("rm /data/hello") }, inside: "ls -A /data",
		},
		{
			Row:  row.Row{ID: "6", Case: "emptied named volume where the image has content", Apply: "still empty", Rollback: "still empty"},
			name: "emptiednamed", image: "anonvol", args: []string{"-v", "emptied-data:/data"}, other: named,
			ready: func(s *stage) { s.sh("rm /data/hello") }, inside: "ls -A /data",
		},
		{
			Row:  row.Row{ID: "7", Case: "read-only bind and read-only volumes-from", Apply: "read-only", Rollback: "read-only"},
			name: "readonly", args: []string{"-v", "/etc:/hostetc:ro", "--volumes-from", "donor:ro"}, other: named,
			given:  func(s *stage) { s.docker("run", "-d", "--name", "donor", "-v", "/donated", s.h.Image(s.T, "busybox")) },
			inside: "touch /hostetc/x /donated/x 2>&1 | sed 's/.*: //'",
			after:  func(s *stage) { contains(s.T, s.sh("touch /hostetc/x /donated/x 2>&1 || true"), "Read-only") },
		},
		{
			Row:  row.Row{ID: "7", Case: "shared bind made a slave and read-only", Apply: "the kernel has it in no group of the host's, and read-only", Rollback: "shared and writable as before"},
			name: "shared", args: []string{"-v", "/opt/shared:/shared:rw,rshared"}, other: []string{"Mounts", "HostConfig.Binds"},
			given: func(s *stage) {
				s.h.Exec(s.T, "sh", "-c", "mkdir -p /opt/shared && mount --bind /opt/shared /opt/shared && mount --make-rshared /opt/shared")
			},
			changes: []plan.Change{
				{Path: "Mounts[/shared].Propagation", From: []byte(`"rshared"`), To: []byte(`"rslave"`), Kind: plan.KindRecreate},
				{Path: "Mounts[/shared].RW", From: []byte("true"), To: []byte("false"), Kind: plan.KindRecreate},
			},
			after: func(s *stage) {
				s.want("{{json .HostConfig.Binds}}", `["/opt/shared:/shared:ro,rslave"]`)
				if line := s.sh("grep ' /shared ' /proc/self/mountinfo"); strings.Contains(line, " shared:") || !strings.Contains(line, " master:") || !strings.Contains(line, " ro,") {
					s.Errorf("the kernel has %s", line)
				}
			},
			back: func(s *stage) {
				contains(s.T, s.sh("grep ' /shared ' /proc/self/mountinfo"), " shared:")
				s.h.Exec(s.T, "umount", "-l", "/opt/shared")
			},
		},
		{
			Row:  row.Row{ID: "8", Case: "volumes-from a container that was removed since", Apply: kept, Rollback: kept},
			name: "orphaned", args: []string{"--volumes-from", "giver"}, other: named,
			given: func(s *stage) { s.docker("run", "-d", "--name", "giver", "-v", "/given", s.h.Image(s.T, "busybox")) },
			ready: func(s *stage) {
				s.sh("echo mine >/given/mine")
				s.docker("rm", "-f", "giver")
			},
			inside: "cat /given/mine",
		},
		{
			Row:  row.Row{ID: "11", Case: "tmpfs over a VOLUME of the image", Apply: "tmpfs, no volume", Rollback: "tmpfs, no volume"},
			name: "tmpfs", image: "anonvol", args: []string{"--tmpfs", "/data:size=1m"},
			inside: "stat -f -c %T /data; grep -c ' /data tmpfs' /proc/mounts", shows: "{{len .Mounts}}",
		},
		{
			Row:  row.Row{ID: "12", Case: "files in the writable layer", Apply: "carried over, with owners, modes, times and deletions", Rollback: "as they were"},
			name: "written",
			ready: func(s *stage) {
				s.sh("mkdir -p /srv/deep && echo mine >/srv/deep/a && chown 7:8 /srv/deep/a && chmod 4750 /srv/deep/a && ln -s a /srv/deep/b && rm /bin/uniq && touch -d @1000000000 /srv/deep/a /srv/deep")
			},
			inside: "cat /srv/deep/b; stat -c '%n %a %u:%g %F %h %s %Y' /srv /srv/deep /srv/deep/a; ls /bin/uniq 2>&1 || true",
		},
	})
}
