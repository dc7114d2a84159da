package inventory

import (
	"strconv"
	"strings"
)

// mount is one line of /proc/PID/mountinfo.
type mount struct {
	root, point    string
	options, super string
	kind           string // file system type
	peers          string // group of mounts that show each other's mounts below them; empty: none
}

func parseMounts(data []byte) []mount {
	var mounts []mount
	for line := range strings.Lines(string(data)) {
		front, back, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, tail := strings.Fields(front), strings.Fields(back)
		if !ok || len(fields) < 6 || len(tail) < 1 {
			continue
		}
		m := mount{root: unoctal(fields[3]), point: unoctal(fields[4]), options: fields[5], kind: tail[0]}
		if len(tail) > 2 {
			m.super = tail[2]
		}
		for _, tag := range fields[6:] {
			if peers, shared := strings.CutPrefix(tag, "shared:"); shared {
				m.peers = peers
			}
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// rootMount is the file system a process has as /: of several mounted over each other the last.
func rootMount(mounts []mount) (mount, bool) {
	for i := len(mounts) - 1; i >= 0; i-- {
		if mounts[i].point == "/" {
			return mounts[i], true
		}
	}
	return mount{}, false
}

// readOnly reports whether the mount or its file system is read-only.
func (m mount) readOnly() bool {
	return hasOption(m.options, "ro") || hasOption(m.super, "ro")
}

// upper is the upper directory of an overlay mount, as the engine gave it; lower are those below it.
func (m mount) upper() string { return m.layer("upperdir=") }
func (m mount) lower() string { return m.layer("lowerdir=") }

// layer is an option of an overlay mount, without the kernel's escapes; empty: it is none, or has none.
func (m mount) layer(option string) string {
	if m.kind != "overlay" {
		return ""
	}
	for _, one := range strings.Split(m.super, ",") {
		if dir, ok := strings.CutPrefix(one, option); ok {
			return unoctal(dir)
		}
	}
	return ""
}

func hasOption(options, want string) bool {
	for _, option := range strings.Split(options, ",") {
		if option == want {
			return true
		}
	}
	return false
}

// unoctal undoes the kernel's \040 for a space and the like.
func unoctal(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
