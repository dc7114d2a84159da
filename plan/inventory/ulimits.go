package inventory

import "strings"

// ulimitLines are the lines of /proc/PID/limits by the engine's names of the limits.
var ulimitLines = map[string]string{
	"core": "Max core file size", "cpu": "Max cpu time", "data": "Max data size", "fsize": "Max file size", "locks": "Max file locks",
	"memlock": "Max locked memory", "msgqueue": "Max msgqueue size", "nice": "Max nice priority", "nofile": "Max open files",
	"nproc": "Max processes", "rss": "Max resident set", "rtprio": "Max realtime priority", "rttime": "Max realtime timeout",
	"sigpending": "Max pending signals", "stack": "Max stack size",
}

// ulimits reads the named limits of a process. Those that cannot be read are left out.
func (r hostRoot) ulimits(pid int, names []string) map[string]string {
	data, err := readLimited(r.proc(pid, "limits"), maxProcFile)
	if err != nil {
		return nil
	}
	out := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		for _, name := range names {
			rest, is := strings.CutPrefix(line, ulimitLines[name]+" ")
			if fields := strings.Fields(rest); is && ulimitLines[name] != "" && len(fields) > 1 {
				out[name] = ulimitNumber(fields[0]) + ":" + ulimitNumber(fields[1])
			}
		}
	}
	return out
}

func ulimitNumber(text string) string {
	if text == "unlimited" {
		return "-1"
	}
	return text
}
