package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A learned is a service that begins as root, with what shows that it works.
type learned struct {
	name, image string
	client      string // shell on the host: works when the service does
	keeps       []string
	without     string // of these the one without which it is tried once more
	uses        string // a line of learn
}

// learnedServices are made of Debian's packages. What they keep are their own uses in a life that began with files of
// the image, ended by itself and began again.
func learnedServices() []learned {
	client := func(name, image, entry, args string) string {
		return fmt.Sprintf("timeout -s KILL 20 docker run --rm --network container:%s --entrypoint %s testhost/%s %s", name, entry, image, args)
	}
	return []learned{
		{
			name: "web", image: "nginx", client: client("web", "busybox", "sh", "-c 'timeout 5 wget -qO- http://127.0.0.1/ | grep -qx ok'"),
			keeps: []string{"CHOWN", "SETGID", "SETUID"}, without: "SETGID", uses: "SETGID .*by nginx",
		},
		{
			name: "cache", image: "redis", client: client("cache", "redis", "redis-cli", "ping | grep -qx PONG"),
			keeps: []string{"SETGID", "SETUID"}, without: "SETUID", uses: "SETUID .*by gosu",
		},
		{
			name: "db", image: "postgres",
			client: client("db", "postgres", "sh", `-c '/usr/lib/postgresql/*/bin/psql -h 127.0.0.1 -U postgres -Atc "select 40+2"' | grep -qx 42`),
			keeps:  []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}, without: "SETUID", uses: "DAC_OVERRIDE .*by find",
		},
		{
			name: "ssh", image: "sshd", client: client("ssh", "sshd", "ssh", "-o StrictHostKeyChecking=no app@127.0.0.1 id -u 2>/dev/null | grep -qx 1000"),
			keeps: []string{"SETGID", "SETUID", "SYS_CHROOT"}, without: "SYS_CHROOT", uses: "SYS_CHROOT .*by sshd",
		},
		{
			name: "ping", image: "ping", client: "docker exec ping sh -c 'rm -f /tmp/answered; sleep 2; [ -e /tmp/answered ]'",
			keeps: []string{"NET_RAW", "SETPCAP"}, without: "NET_RAW", uses: "NET_RAW .*asked for .* in capset by ping .*; asked for .* in execve",
		},
	}
}

// works tries until a client is served, or fails.
func (o *operator) works(s learned, when string) {
	o.t.Helper()
	o.host.Exec(o.t, "sh", "-c", "for i in $(seq 60); do "+s.client+" && exit 0; sleep 0.5; done; echo "+s.name+" does not work: "+when+" >&2; docker logs "+s.name+" >&2; exit 1")
}

// What services need is learnt from a whole life of theirs, written into a profile by a command, applied, and enough;
// with one capability less they do not work.
func TestLearnedServices(t *testing.T) {
	o := newOperator(t)
	services := learnedServices()
	o.host.Image(t, "busybox")
	var names, fresh, clients, evidence []string
	for _, s := range services {
		run := "docker run -d --name " + s.name + " " + o.host.Image(t, s.image)
		o.host.Exec(t, "sh", "-c", run)
		names, fresh, clients = append(names, s.name), append(fresh, run), append(clients, s.client)
		evidence = append(evidence, "--evidence", "learnt/"+s.name+".evidence.json")
	}
	all := strings.Join(names, " ")
	// Made anew from their images, ended by themselves, started once more.
	served := " && sleep 2 && " + strings.Join(clients, " && ")
	life := "docker rm -f -v " + all + " && " + strings.Join(fresh, " && ") + served + " && docker stop " + all + " && docker start " + all + served
	seen := o.run(0, append([]string{"learn", "-o", "learnt", "--exercise", life}, names...)...)
	settings := func() string {
		return o.host.Docker(t, append([]string{"inspect", "-f", "{{.Id}} {{json .HostConfig}}"}, names...)...)
	}
	before, log := settings(), o.host.Docker(t, "exec", "web", "head", "-n", "1", "/var/log/nginx/access.log")
	site := []byte("format: docker-harden/profile/v1\nname: site\nextends: cis-level1 # ours\n")
	if err := os.WriteFile(filepath.Join(o.dir, "site.yaml"), site, 0o600); err != nil {
		t.Fatal(err)
	}
	said := o.run(0, append([]string{"answer", "-p", "site.yaml"}, evidence...)...)
	o.run(0, append([]string{"plan", "-p", "site.yaml", "--skip", "daemon", "-o", "host.plan"}, evidence...)...)
	o.run(0, "apply", "host.plan", "--yes", "--stable", "1s")
	for _, s := range services {
		o.works(s, "after the apply")
		if !regexp.MustCompile(s.uses).MatchString(seen.stdout) {
			t.Errorf("%s: nothing in the words of learn is like %q", s.name, s.uses)
		}
		if !strings.Contains(said.stdout, s.name+": docker/capabilities, answered in site.yaml:") {
			t.Errorf("%s: its capabilities were not answered", s.name)
		}
		o.keeps(s)
	}
	o.logsInVolume(log)
	o.run(0, "verify")
	if again := o.run(0, append([]string{"plan", "-p", "site.yaml", "--skip", "daemon"}, evidence...)...); !strings.Contains(again.stdout, "No changes") {
		t.Error("a plan after the apply still changes something")
	}
	o.run(0, "rollback", "--yes")
	if after := settings(); after != before {
		t.Errorf("after the rollback\n%s\nbefore\n%s", after, before)
	}
	for _, s := range services {
		o.breaks(s)
	}
}

// logsInVolume: the web server cannot write into its image any more, and goes on with the log that it had.
func (o *operator) logsInVolume(first string) {
	o.t.Helper()
	const want = "true volume /var/log/nginx true"
	if got := o.host.Docker(o.t, "inspect", "-f", "{{.HostConfig.ReadonlyRootfs}}{{range .Mounts}} {{.Type}} {{.Destination}} {{.RW}}{{end}}", "web"); got != want {
		o.t.Errorf("the web server has %s, want %s", got, want)
	}
	got := o.host.Docker(o.t, "exec", "web", "sh", "-c", "head -n 1 /var/log/nginx/access.log; (echo x >/etc/x) 2>/dev/null || echo refused")
	if first == "" || got != first+"\nrefused" {
		o.t.Errorf("the web server has the log %q, had %q", got, first)
	}
}

// numbered are the kernel's numbers of the capabilities that the engine gives to a container.
var numbered = map[int]string{
	0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 4: "FSETID", 5: "KILL", 6: "SETGID", 7: "SETUID", 8: "SETPCAP",
	10: "NET_BIND_SERVICE", 13: "NET_RAW", 18: "SYS_CHROOT", 27: "MKNOD", 29: "AUDIT_WRITE", 31: "SETFCAP",
}

// keeps compares what the kernel lets a service have with what it is to keep.
func (o *operator) keeps(s learned) {
	o.t.Helper()
	pid := o.host.Docker(o.t, "inspect", "-f", "{{.State.Pid}}", s.name)
	bounding, err := strconv.ParseUint(status(o.t, pid)["CapBnd"], 16, 64)
	if err != nil {
		o.t.Fatal(err)
	}
	var has []string
	for bit := range 64 {
		if bounding&(1<<bit) != 0 {
			has = append(has, numbered[bit])
		}
	}
	slices.Sort(has)
	if !slices.Equal(has, s.keeps) {
		o.t.Errorf("%s: the kernel lets it have %v, want %v", s.name, has, s.keeps)
	}
}

// breaks shows a service made from its image with one capability less than it needs: it ends, or serves nobody.
func (o *operator) breaks(s learned) {
	o.t.Helper()
	o.host.Docker(o.t, "rm", "-f", "-v", s.name)
	args := []string{"run", "-d", "--name", s.name, "--security-opt", "no-new-privileges", "--cap-drop", "ALL"}
	for _, name := range s.keeps {
		if name != s.without {
			args = append(args, "--cap-add", name)
		}
	}
	// Where the runtime refuses the program itself, docker run fails.
	_ = o.host.Command(o.t.Context(), "docker", append(args, "testhost/"+s.image)...).Run()
	time.Sleep(time.Second)
	if o.host.Command(o.t.Context(), "sh", "-c", s.client).Run() == nil {
		o.t.Errorf("%s works without %s", s.name, s.without)
	}
}
