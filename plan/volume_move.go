package plan

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

// The two ends of a change of [VolumePath]. What the volume is called is not for a plan to say.
const (
	VolumeLayer = "layer"  // what a container has there is in its image and its writable layer
	VolumeOwn   = "volume" // it is in a volume of its own, and the same
)

// VolumeName begins the names of volumes that this tool makes.
const VolumeName = "docker-harden-"

const volumeSetting = "Volume"

// VolumePath is the path of a change that moves what a container has in a directory into a volume:
// "Mounts[/var/log/nginx].Volume". target is its place in the container.
func VolumePath(target string) string { return MountPath(target, volumeSetting) }

// VolumeOf reads what [VolumePath] wrote.
func VolumeOf(path string) (target string, ok bool) {
	target, setting, _ := MountOf(path)
	if setting != volumeSetting || !IsVolumePlace(target) {
		return "", false
	}
	return target, true
}

// IsVolumePlace reports whether a directory can be in a volume by its name: absolute, spelled in the one way, below /,
// and none that the kernel or the engine fills.
func IsVolumePlace(target string) bool {
	const longest = 1024
	if len(target) > longest || !path.IsAbs(target) || path.Clean(target) != target || target == "/" {
		return false
	}
	if strings.ContainsFunc(target, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return false
	}
	return !slices.ContainsFunc([]string{"/dev", "/proc", "/sys", "/run/secrets"}, func(dir string) bool { return Below(target, dir) })
}

// Below reports whether a place is a directory or in it.
func Below(place, dir string) bool {
	return place == dir || strings.HasPrefix(place, strings.TrimSuffix(dir, "/")+"/")
}
