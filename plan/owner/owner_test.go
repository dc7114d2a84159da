package owner

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

func change(field, from, to string) plan.Change {
	return plan.Change{Path: "HostConfig." + field, From: json.RawMessage(from), To: json.RawMessage(to), Kind: plan.KindRecreate}
}

// everything is one change of each setting that a control changes.
func everything() []plan.Change {
	return []plan.Change{
		change("CapDrop", `["KILL"]`, `["KILL","cap_net_raw","MKNOD"]`),
		change("CapAdd", `["SYS_TIME"]`, `[]`),
		change("SecurityOpt", `["seccomp=unconfined"]`, `["no-new-privileges:true"]`),
		change("ReadonlyRootfs", "false", "true"),
		change("Tmpfs", `{"/run":""}`, `{"/run":"","/tmp":"size=16m,mode=1777","/x y":""}`),
		change("Memory", "0", "134217728"), change("MemorySwap", "0", "268435456"),
		change("PidsLimit", "null", "256"), change("CpuShares", "0", "1024"),
		change("RestartPolicy", `{"Name":"always","MaximumRetryCount":0}`, `{"Name":"on-failure","MaximumRetryCount":5}`),
	}
}

func ownedBy(kind inventory.OwnerKind, name string) *inventory.Container {
	c := &inventory.Container{ID: "id-" + name, Name: "box", Owner: inventory.Owner{Kind: kind, Name: name}}
	c.Inspect.Config.Labels = map[string]string{}
	return c
}

func TestReason(t *testing.T) {
	drop := []plan.Change{change("CapDrop", "null", `["NET_RAW","MKNOD"]`)}
	pod := ownedBy(inventory.OwnedByKubernetes, "shop/web-0")
	pod.Inspect.Config.Labels["io.kubernetes.container.name"] = "app"
	for name, test := range map[string]struct {
		c       *inventory.Container
		changes []plan.Change
		want    string
	}{
		"nobody":  {ownedBy(inventory.OwnedByNobody, ""), drop, ""},
		"compose": {ownedBy(inventory.OwnedByCompose, "shop/web"), drop, ""},
		"swarm":   {ownedBy(inventory.OwnedBySwarm, "web"), drop, "owned by Swarm service web, which would make it again: docker service update --cap-drop NET_RAW --cap-drop MKNOD web"},
		"swarm, no flag": {
			ownedBy(inventory.OwnedBySwarm, "web"),
			[]plan.Change{change("SecurityOpt", "null", `["no-new-privileges:true"]`)},
			`owned by Swarm service web, which would make it again: no flag sets no-new-privileges: put "no-new-privileges": true into daemon.json of every node, then make new tasks with docker service update --force`,
		},
		"pod": {pod, drop, "owned by Kubernetes pod shop/web-0, container app: in the manifest of the workload that makes the pod, set {securityContext: {capabilities: {drop: [NET_RAW, MKNOD]}}}"},
		"pod, pids": {
			pod,
			[]plan.Change{change("PidsLimit", "null", "100")},
			"owned by Kubernetes pod shop/web-0, container app: in the manifest of the workload that makes the pod, there is podPidsLimit: 100 in the kubelet's configuration (for every pod of the node)",
		},
		"unit": {ownedBy(inventory.OwnedBySystemd, "web.service"), drop, "started by systemd unit web.service, which would make it again: add --cap-drop=NET_RAW --cap-drop=MKNOD to docker run (systemctl edit --full web.service)"},
		"unit, out": {
			ownedBy(inventory.OwnedBySystemd, "web.service"),
			[]plan.Change{change("SecurityOpt", `["seccomp=unconfined"]`, `[]`)},
			"started by systemd unit web.service, which would make it again: take --security-opt=seccomp=unconfined out (systemctl edit --full web.service)",
		},
		"nomad":    {ownedBy(inventory.OwnedByNomad, "web"), drop, "owned by Nomad task web: Nomad would make it again"},
		"ecs":      {ownedBy(inventory.OwnedByECS, "web"), drop, "owned by ECS task definition web"},
		"kind":     {ownedBy(inventory.OwnedByKind, "dev"), drop, "owned by kind cluster dev: it is a node"},
		"buildx":   {ownedBy(inventory.OwnedByBuildx, "default"), drop, "owned by docker buildx builder default"},
		"gitlab":   {ownedBy(inventory.OwnedByGitLab, "7"), drop, "[runners.docker]"},
		"editor":   {ownedBy(inventory.OwnedByDevContainer, "/src"), drop, "devcontainer.json"},
		"test run": {ownedBy(inventory.OwnedByTestcontainers, "x"), drop, "the test makes and removes it"},
		"later":    {ownedBy("later", "x"), drop, "owned by later x"},
	} {
		got := Reason(test.c, test.changes)
		if !strings.HasPrefix(got, test.want) && !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}

// findings are what blocked the given containers.
func findings(wanted []plan.Change, containers ...inventory.Container) *plan.Plan {
	p := &plan.Plan{}
	for i := range containers {
		for n, c := range wanted {
			p.Findings = append(p.Findings, plan.Finding{
				Control: fmt.Sprint("c", n), Resource: containers[i].Resource(), Status: plan.Fail, Blocked: "owned", Wanted: []plan.Change{c},
			})
		}
	}
	return p
}

func adviceFor(t *testing.T, wanted []plan.Change, containers ...inventory.Container) []plan.Advice {
	t.Helper()
	got, err := Advise(&inventory.Host{Containers: containers}, findings(wanted, containers...))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAdviseService(t *testing.T) {
	one, two := ownedBy(inventory.OwnedBySwarm, "web"), ownedBy(inventory.OwnedBySwarm, "web")
	two.ID, two.Name = "two", "box.2"
	got := adviceFor(t, everything(), *one, *two)
	want := []string{
		"docker service update --cap-drop NET_RAW --cap-drop MKNOD --cap-drop SYS_TIME --read-only" +
			" --mount-add 'type=tmpfs,destination=/tmp,tmpfs-size=16m,tmpfs-mode=1777' --mount-add 'type=tmpfs,destination=/x y'" +
			" --limit-memory 134217728b --limit-pids 256 --restart-condition on-failure --restart-max-attempts 5 web",
		`# no flag sets no-new-privileges: put "no-new-privileges": true into daemon.json of every node, then make new tasks with docker service update --force`,
		"# no flag changes the other security options: set them in the stack file or make the service anew",
		"# a service has no CPU shares: --limit-cpu or --reserve-cpu bound it otherwise",
		"# a service of a stack: set the same in the stack file, or the next docker stack deploy takes it back",
	}
	if len(got) != 1 || got[0].Owner != "Swarm service web" || len(got[0].Targets) != 2 {
		t.Fatalf("%+v", got)
	}
	if diff := cmp.Diff(want, got[0].Copy); diff != "" {
		t.Error(diff)
	}
	if len(got[0].Text) != 1 {
		t.Errorf("equal tasks are said to differ: %q", got[0].Text)
	}
}

func TestTasksThatDiffer(t *testing.T) {
	var members []member
	for i, limit := range []string{"100", "300", "200"} {
		c := ownedBy(inventory.OwnedBySwarm, "web")
		c.ID = fmt.Sprint(i)
		members = append(members, member{c, []plan.Change{change("Memory", "0", limit)}})
	}
	got := advise(members[0].c.Owner, members)
	if got.Copy[0] != "docker service update --limit-memory 300b web" || !strings.Contains(got.Text[1], "largest number") {
		t.Errorf("%+v", got)
	}
}

func TestDropOfWhatIsAdded(t *testing.T) {
	_, left := serviceFlags(read([]plan.Change{change("CapAdd", `["NET_RAW"]`, `[]`), change("CapDrop", "null", `["NET_RAW"]`)}))
	if len(left) != 1 || !strings.HasPrefix(left[0], "run it twice") {
		t.Errorf("%q", left)
	}
}

func TestAdvisePod(t *testing.T) {
	app, side, pause := ownedBy(inventory.OwnedByKubernetes, "shop/web-0"), ownedBy(inventory.OwnedByKubernetes, "shop/web-0"), ownedBy(inventory.OwnedByKubernetes, "shop/web-0")
	app.Inspect.Config.Labels["io.kubernetes.container.name"] = "app"
	side.ID, side.Name = "side", "k8s_side_web-0_shop_uid_0"
	pause.ID, pause.Name = "pause", "k8s_POD_web-0_shop_uid_0"
	got := adviceFor(t, everything(), *app, *side, *pause)
	if len(got) != 1 || got[0].Owner != "Kubernetes pod shop/web-0" || len(got[0].Targets) != 3 {
		t.Fatalf("%+v", got)
	}
	text := strings.Join(got[0].Copy, "\n")
	one := `    - name: app
      securityContext:
        capabilities:
          drop:
            - KILL
            - NET_RAW
            - MKNOD
          add: []
        allowPrivilegeEscalation: false
        seccompProfile:
          type: RuntimeDefault
        readOnlyRootFilesystem: true
      resources:
        limits:
          memory: 128Mi
`
	want := `kubectl --namespace shop get pod -o 'jsonpath={.metadata.ownerReferences}' web-0
# shows which; in its pod template:
spec:
  containers:
` + one + strings.Replace(one, "app", "side", 1)
	if !strings.HasPrefix(text, want) {
		t.Error(cmp.Diff(want, text))
	}
	for _, part := range []string{"# app: there is a volume emptyDir with medium Memory at /tmp", "podPidsLimit: 256", "1024 shares are 1000m", "nothing for its restarts"} {
		if !strings.Contains(text, part) {
			t.Errorf("missing %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "POD") {
		t.Error("the sandbox is in the manifest")
	}
	var any map[string]any
	if err := yaml.Unmarshal([]byte(strings.Join(got[0].Copy[1:], "\n")), &any); err != nil {
		t.Error(err)
	}
	if alone := adviceFor(t, everything(), *pause); len(alone[0].Copy) != 0 || !strings.Contains(alone[0].Text[0], "sandbox") {
		t.Errorf("%+v", alone)
	}
}

func TestAdviseUnit(t *testing.T) {
	got := adviceFor(t, append(everything(), change("Binds", "null", "[]")), *ownedBy(inventory.OwnedBySystemd, "we b.service"))
	want := []string{
		"systemctl edit 'we b.service'", "# in the editor:", "[Service]", "ExecStart=",
		"ExecStart=/usr/bin/docker run --cap-drop=NET_RAW --cap-drop=MKNOD --security-opt=no-new-privileges:true --read-only" +
			` --tmpfs=/tmp:size=16m,mode=1777 "--tmpfs=/x y" --memory=134217728 --memory-swap=268435456 --pids-limit=256 --cpu-shares=1024 --restart=on-failure:5 …`,
		"# … is the rest of the command, as systemctl cat shows it",
		"# without --cap-add=SYS_TIME --security-opt=seccomp=unconfined",
		"systemctl restart 'we b.service'",
	}
	if diff := cmp.Diff(want, got[0].Copy); diff != "" {
		t.Error(diff)
	}
}

func TestUnitWord(t *testing.T) {
	for in, want := range map[string]string{"--read-only": "--read-only", "a%b$c": "a%%b$$c", "a b": `"a b"`, `a"b\`: `"a\"b\\"`, "": `""`, "a\nb": `"a\nb"`} {
		if got := unitWord(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestCommandsAreQuoted runs what is printed in a shell and looks at the words that arrive.
func TestCommandsAreQuoted(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatalf("%v; install it: apt-get install bash", err)
	}
	for _, name := range []string{
		"web", "a b", "$(touch /tmp/pwned)", "`id`", "x; reboot", "it's", `"q"`, "-rf", "--help", "a\nb", "\x1b[31mred", "*", "~", "!x", "\\", "", "ü\u202e", "a&b|c>d<e", "{a,b}", "#x",
	} {
		line := serviceUpdate(name, []string{"--read-only"})
		out, err := exec.CommandContext(t.Context(), bash, "-c", "docker() { printf '%s\\0' \"$@\"; }\n"+line).Output()
		if err != nil {
			t.Errorf("%q: %v of %s", name, err, line)
			continue
		}
		words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if got := words[len(words)-1]; got != name || words[0] != "service" || strings.HasPrefix(name, "-") != (words[len(words)-2] == "--") {
			t.Errorf("%q arrives as %q", name, words)
		}
		if strings.ContainsAny(line, "\n\x1b") {
			t.Errorf("%q is not on one line: %q", name, line)
		}
	}
	if got := Command("a\x00b"); !strings.HasPrefix(got, "'") || strings.ContainsRune(got, 0) {
		t.Errorf("what no shell can take: %q", got)
	}
}

func TestMeddlers(t *testing.T) {
	image := func(name, image string, labels map[string]string, running bool) inventory.Container {
		c := inventory.Container{ID: name, Name: name}
		c.Inspect.Config.Image, c.Inspect.Config.Labels, c.Inspect.State.Running = image, labels, running
		return c
	}
	h := &inventory.Host{Containers: []inventory.Container{
		image("a", "containrrr/watchtower", nil, true), image("b", "ghcr.io/nicholas-fedor/watchtower:1.2@sha256:00", nil, true),
		image("c", "sha256:00", map[string]string{"com.centurylinklabs.watchtower": "true"}, true), image("d", "containrrr/watchtower", nil, false),
		image("e", "localhost:5000/portainer/agent", nil, true), image("f", "me/not-watchtower", nil, true), image("g", "xcontainrrr/watchtower", nil, true),
	}}
	recreates := &plan.Plan{Steps: []plan.Step{{Kind: plan.KindRecreate}}}
	got, err := Advise(h, recreates)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	if diff := cmp.Diff([]string{"container/a", "container/b", "container/c"}, got[0].Targets); diff != "" || got[0].Owner != "Watchtower runs on this host" {
		t.Errorf("%s: %s", got[0].Owner, diff)
	}
	if diff := cmp.Diff([]string{"container/e"}, got[1].Targets); diff != "" {
		t.Error(diff)
	}
	if got, _ := Advise(h, &plan.Plan{Steps: []plan.Step{{Kind: plan.KindUpdate}}}); len(got) != 0 {
		t.Errorf("a live update is in nobody's way: %+v", got)
	}
}

func TestOneLine(t *testing.T) {
	c := ownedBy(inventory.OwnedByKubernetes, "shop/web\n# kubectl delete all\x1b[2J")
	c.Inspect.Config.Labels["io.kubernetes.container.name"] = "a\nb\x1b\u202e"
	a := adviceFor(t, everything(), *c)[0]
	for _, line := range append(append(a.Text, a.Copy...), a.Owner) {
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q", line)
		}
	}
	for _, line := range a.Copy {
		if strings.HasPrefix(line, "# kubectl delete") || line == "b" {
			t.Errorf("a name makes a line of its own: %q", line)
		}
	}
}

func TestNetworkOfItsOwn(t *testing.T) {
	move := []plan.Change{{Path: plan.NetworksPath, From: json.RawMessage(`["bridge"]`), To: json.RawMessage(`["shop"]`)}}
	if got := Reason(ownedBy(inventory.OwnedBySystemd, "web.service"), move); !strings.Contains(got, "--network=shop") {
		t.Error(got)
	}
	for _, kind := range []inventory.OwnerKind{inventory.OwnedBySwarm, inventory.OwnedByKubernetes} {
		if got := Reason(ownedBy(kind, "web"), move); !strings.Contains(got, "networks") {
			t.Error(got)
		}
	}
}

func TestMalformedChangesAreLeft(t *testing.T) {
	var bad []plan.Change
	for _, field := range []string{"CapDrop", "CapAdd", "SecurityOpt", "ReadonlyRootfs", "Tmpfs", "Memory", "MemorySwap", "PidsLimit", "CpuShares", "RestartPolicy"} {
		bad = append(bad, change(field, "null", `{"x":[`))
	}
	if w := read(bad); len(w.other) != len(bad) {
		t.Errorf("%d of %d are left: %v", len(w.other), len(bad), w.other)
	}
	if got := Reason(ownedBy(inventory.OwnedBySwarm, "web"), bad[:1]); !strings.Contains(got, "no flag is known for CapDrop") {
		t.Error(got)
	}
}

func TestCheckOfItsOwn(t *testing.T) {
	check := func(to string) []plan.Change {
		return []plan.Change{{Path: plan.HealthcheckPath, From: json.RawMessage("null"), To: json.RawMessage(to)}}
	}
	line := check(`{"Test":["CMD-SHELL","ready || exit 1"],"Interval":30000000000,"Timeout":5000000000,"StartPeriod":1000000000,"Retries":3}`)
	for kind, want := range map[inventory.OwnerKind]string{
		inventory.OwnedBySystemd:    `"--health-cmd=ready || exit 1" --health-interval=30s --health-timeout=5s --health-start-period=1s --health-retries=3`,
		inventory.OwnedBySwarm:      `--health-cmd 'ready || exit 1' --health-interval 30s --health-timeout 5s --health-start-period 1s --health-retries 3`,
		inventory.OwnedByKubernetes: "livenessProbe",
	} {
		if got := Reason(ownedBy(kind, "web"), line); !strings.Contains(got, want) {
			t.Errorf("%s: %s", kind, got)
		}
	}
	for _, to := range []string{`{"Test":["CMD","ready","now"]}`, `{"Test":"x"}`} {
		if got := Reason(ownedBy(inventory.OwnedBySwarm, "web"), check(to)); !strings.Contains(got, "no flag is known for Config.Healthcheck") {
			t.Error(got)
		}
	}
}
