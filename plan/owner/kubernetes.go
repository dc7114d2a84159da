package owner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"docker-harden/plan"
	"docker-harden/plan/inventory"
)

// containerOf is what its pod calls a container.
func containerOf(c *inventory.Container) string {
	if name := c.Inspect.Config.Labels["io.kubernetes.container.name"]; name != "" {
		return name
	}
	if parts := strings.Split(c.Name, "_"); len(parts) > 1 && parts[0] == "k8s" {
		return parts[1]
	}
	return c.Name
}

// sandbox reports whether a container only holds a pod's namespaces: the kubelet makes it, and no
// manifest speaks of it.
func sandbox(c *inventory.Container) bool {
	return c.Inspect.Config.Labels["io.kubernetes.docker.type"] == "podsandbox" || containerOf(c) == "POD"
}

// manifest is what a pod's manifest says of one container so that a wish comes true; and what it has no word for.
func manifest(w wish) (fields yaml.MapSlice, left []string) {
	var security, caps yaml.MapSlice
	if w.drop.changed {
		caps = append(caps, yaml.MapItem{Key: "drop", Value: nonNil(w.drop.to)})
	}
	if w.add.changed {
		caps = append(caps, yaml.MapItem{Key: "add", Value: nonNil(w.add.to)})
	}
	if len(caps) > 0 {
		security = append(security, yaml.MapItem{Key: "capabilities", Value: caps})
	}
	for _, opt := range w.opts.more() {
		if opt == noNewPrivileges {
			security = append(security, yaml.MapItem{Key: "allowPrivilegeEscalation", Value: false})
			continue
		}
		left = append(left, "the security option "+opt)
	}
	if slices.Contains(w.opts.less(), "seccomp=unconfined") {
		security = append(security, yaml.MapItem{Key: "seccompProfile", Value: yaml.MapSlice{{Key: "type", Value: "RuntimeDefault"}}})
	}
	if w.readOnly {
		security = append(security, yaml.MapItem{Key: "readOnlyRootFilesystem", Value: true})
	}
	if len(security) > 0 {
		fields = append(fields, yaml.MapItem{Key: "securityContext", Value: security})
	}
	if w.memory != nil {
		fields = append(fields, yaml.MapItem{Key: "resources", Value: yaml.MapSlice{{Key: "limits", Value: yaml.MapSlice{{Key: "memory", Value: quantity(*w.memory)}}}}})
	}
	for _, place := range slices.Sorted(maps.Keys(w.tmpfs)) {
		left = append(left, "a volume emptyDir with medium Memory at "+place)
	}
	if w.pids != nil {
		left = append(left, fmt.Sprintf("podPidsLimit: %d in the kubelet's configuration (for every pod of the node)", *w.pids))
	}
	if w.shares != nil {
		left = append(left, fmt.Sprintf("resources.requests.cpu, from which the kubelet makes CPU shares (%d shares are %dm)", *w.shares, *w.shares*1000/1024))
	}
	if w.restart != nil {
		left = append(left, "nothing for its restarts: the kubelet does them, with growing pauses")
	}
	left = append(left, w.ports.pod()...)
	if w.check != nil {
		left = append(left, "a livenessProbe, or a readinessProbe, with an exec of the command: the kubelet does not look at health checks of the engine")
	}
	for _, field := range w.unsaid() {
		left = append(left, "whatever stands for "+field)
	}
	return fields, left
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// quantity is a number of bytes as Kubernetes writes it.
func quantity(n int64) string {
	const mib = 1 << 20
	if n%mib == 0 {
		return strconv.FormatInt(n/mib, 10) + "Mi"
	}
	return strconv.FormatInt(n, 10)
}

// ofPod is the short form for one finding.
func ofPod(c *inventory.Container, changes []plan.Change) string {
	text := fmt.Sprintf("owned by Kubernetes pod %s, container %s: ", c.Owner.Name, containerOf(c))
	if sandbox(c) {
		return text + "the kubelet makes this sandbox for every pod, and no manifest can change it: accept it with an exception"
	}
	fields, left := manifest(read(changes))
	var parts []string
	if len(fields) > 0 {
		if flow, err := yaml.MarshalWithOptions(fields, yaml.Flow(true)); err == nil {
			parts = append(parts, "set "+strings.TrimSpace(string(flow)))
		}
	}
	if len(left) > 0 {
		parts = append(parts, "there is "+strings.Join(left, "; "))
	}
	return text + "in the manifest of the workload that makes the pod, " + strings.Join(parts, "; ")
}

// podContainer is one container of a pod with what is wished of it.
type podContainer struct {
	name string
	wish wish
}

// advisePod is the part of the manifest that changes.
func advisePod(pod string, containers []podContainer) (text, lines []string) {
	namespace, name, ok := strings.Cut(pod, "/")
	if !ok {
		namespace, name = "default", pod
	}
	text = []string{"The kubelet would make the containers again as the pod's manifest says. The workload that makes the pod (a Deployment, a DaemonSet, a static pod's file) is the place:"}
	lines = []string{
		Command(append([]string{"kubectl", "--namespace", namespace, "get", "pod", "-o", "jsonpath={.metadata.ownerReferences}"}, operand(name)...)...),
		"# shows which; in its pod template:",
	}
	var specs []yaml.MapSlice
	var rest []string
	for _, c := range containers {
		fields, left := manifest(c.wish)
		if len(fields) > 0 {
			specs = append(specs, append(yaml.MapSlice{{Key: "name", Value: c.name}}, fields...))
		}
		for _, l := range left {
			rest = append(rest, "# "+c.name+": there is "+l)
		}
	}
	if len(specs) > 0 {
		data, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: "spec", Value: yaml.MapSlice{{Key: "containers", Value: specs}}}}, yaml.IndentSequence(true))
		if err != nil {
			rest = append(rest, "# internal error: cannot write the manifest: "+err.Error())
		}
		lines = append(lines, strings.Split(strings.TrimRight(string(data), "\n"), "\n")...)
	}
	return text, append(lines, rest...)
}
