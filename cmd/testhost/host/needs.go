package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A need is a program and the Debian package that brings it.
type need struct{ program, deb string }

var hostNeeds = []need{
	{"dockerd", "docker.io"},
	{"docker", "docker-cli"},
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"ip", "iproute2"},
	{"iptables", "iptables"},
	{"unshare", "util-linux"},
	{"nsenter", "util-linux"},
	{"setpriv", "util-linux"},
	{"awk", "mawk"},
}

var imageNeeds = []need{
	{"mmdebstrap", "mmdebstrap"},
	{"dpkg", "dpkg"},
	{"apt-get", "apt"},
}

// systemPath makes sure the folders of system programs are searched: a plain
// `su` leaves them out of root's PATH.
func systemPath(path string) string {
	parts := strings.Split(path, ":")
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if !slices.Contains(parts, dir) {
			parts = append(parts, dir)
		}
	}
	return strings.TrimPrefix(strings.Join(parts, ":"), ":")
}

// Find looks for a program on the PATH and in the folders of system programs.
func Find(program string) (string, error) {
	if p, err := exec.LookPath(program); err == nil {
		return p, nil
	}
	for _, dir := range strings.Split(systemPath(""), ":") {
		if p, err := exec.LookPath(dir + "/" + program); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("cannot find the program %s", program)
}

// Missing returns the Debian packages that bring the programs this machine
// lacks: for hosts, or with images for building the sample images too.
func Missing(images bool) []string {
	needs := slices.Clone(hostNeeds)
	if images {
		needs = append(needs, imageNeeds...)
	}
	if appArmor() {
		needs = append(needs, need{"apparmor_parser", "apparmor"})
	}
	var debs []string
	for _, n := range needs {
		if _, err := Find(n.program); err != nil && !slices.Contains(debs, n.deb) {
			debs = append(debs, n.deb)
		}
	}
	// Until Debian 12 the command line tool is part of docker.io.
	if slices.Contains(debs, "docker.io") {
		debs = slices.DeleteFunc(debs, func(d string) bool { return d == "docker-cli" || d == "containerd" || d == "runc" })
	}
	return debs
}

// appArmor tells whether the kernel uses AppArmor: an engine then loads a profile
// before it starts a container, and cannot without the program for that.
func appArmor() bool {
	data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(data), "Y")
}

// AptCommand is the command that installs the given Debian packages.
func AptCommand(debs []string) string {
	return "sudo apt-get install --no-install-recommends " + strings.Join(debs, " ")
}

// Check says what keeps this machine from running isolated hosts, and what helps.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("cannot start an isolated Docker host: namespaces and an engine need root; run the same command with sudo")
	}
	if debs := Missing(false); len(debs) > 0 {
		return fmt.Errorf("cannot start an isolated Docker host: programs are missing; install them with: %s (or run .ci/deps)", AptCommand(debs))
	}
	return nil
}
