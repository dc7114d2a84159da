package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"

	"docker-harden/plan"
)

// widest is how many columns a value gets; what does not fit is cut, and --verbose shows it whole.
const widest = 72

// byteFields are the settings that count bytes.
var byteFields = []string{"Memory", "MemorySwap", "MemoryReservation", "KernelMemory", "ShmSize"}

// value writes a JSON value of a setting for people. path is the setting without its "HostConfig." prefix.
func value(path string, raw json.RawMessage, whole bool) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := dec.Decode(&v); err != nil {
			return cut(Clean(string(raw)), whole)
		}
	}
	return render(path, v, whole)
}

func render(path string, v any, whole bool) string {
	switch v := v.(type) {
	case nil:
		return "(unset)"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return number(path, v)
	case string:
		if path == "mode" || path == "owner" { // of a file: read as ls shows them
			return Clean(v)
		}
		return cut(quote(v), whole)
	case []any:
		return list(path, v, whole)
	case map[string]any:
		return object(path, v, whole)
	}
	return cut(Clean(fmt.Sprint(v)), whole)
}

func number(path string, n json.Number) string {
	if i, err := n.Int64(); err == nil && path == plan.CertExpiryPath {
		return time.Duration(i).String()
	}
	if i, err := n.Int64(); err == nil && i >= units.KiB && slices.Contains(byteFields, path) {
		return bytesText(i)
	}
	return n.String()
}

// bytesText is exact when the size is a whole number of units, and otherwise says that it is not.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{units.TiB, "TiB"}, {units.GiB, "GiB"}, {units.MiB, "MiB"}, {units.KiB, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return "about " + units.CustomSize("%.4g %s", float64(n), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

func list(path string, items []any, whole bool) string {
	parts := make([]string, len(items))
	for i, item := range items {
		if s, ok := item.(string); ok {
			parts[i] = Clean(s)
			continue
		}
		parts[i] = render(path, item, true)
	}
	text := "[" + strings.Join(parts, ", ") + "]"
	if whole || utf8.RuneCountInString(text) <= widest {
		return text
	}
	for n := len(parts) - 1; n > 0; n-- {
		text = fmt.Sprintf("[%s, … %d more]", strings.Join(parts[:n], ", "), len(parts)-n)
		if utf8.RuneCountInString(text) <= widest {
			return text
		}
	}
	return cut(text, false)
}

func object(path string, m map[string]any, whole bool) string {
	if name, ok := m["Name"].(string); ok && path == "RestartPolicy" {
		return restartPolicy(name, m["MaximumRetryCount"])
	}
	keys := slices.Sorted(maps.Keys(m))
	if path == plan.HealthcheckPath {
		times(m)
		slices.SortStableFunc(keys, func(a, b string) int { // the command first: it must not be cut off
			return cmp.Compare(strconv.FormatBool(a != "Test"), strconv.FormatBool(b != "Test"))
		})
	}
	parts := make([]string, 0, len(m))
	for _, key := range keys {
		parts = append(parts, Clean(key)+": "+render(path, m[key], true))
	}
	return cut("{"+strings.Join(parts, ", ")+"}", whole)
}

// times words the times of a health check, which the engine counts in nanoseconds.
func times(check map[string]any) {
	for key, value := range check {
		n, ok := value.(json.Number)
		if !ok || key == "Retries" {
			continue
		}
		if i, err := n.Int64(); err == nil {
			check[key] = time.Duration(i)
		}
	}
}

// restartPolicy writes a policy as docker run --restart takes it.
func restartPolicy(name string, retries any) string {
	if name == "" {
		name = "no"
	}
	if n, ok := retries.(json.Number); ok && n != "0" {
		name += ":" + n.String()
	}
	return Clean(name)
}

func quote(s string) string { return `"` + Clean(s) + `"` }

// cut shortens text to the widest value, saying so.
func cut(s string, whole bool) string {
	if whole || utf8.RuneCountInString(s) <= widest {
		return s
	}
	runes := []rune(s)
	return string(runes[:widest-1]) + "…"
}
