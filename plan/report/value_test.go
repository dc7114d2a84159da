package report

import (
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	long := strings.Repeat("x", 90)
	tests := []struct{ path, in, want, whole string }{
		{"log-level", `null`, "(unset)", ""},
		{"log-level", ``, "(unset)", ""},
		{"log-level", `"debug"`, `"debug"`, ""},
		{"live-restore", `true`, "true", ""},
		{"log-level", `"` + long + `"`, `"` + long[:70] + "…", `"` + long + `"`},
		{"log-level", `"a\u001b[31m"`, `"a\x1b[31m"`, ""},
		{"log-level", `{broken`, "{broken", ""},
		{"mode", `"0644"`, "0644", ""},
		{"owner", `"0:0"`, "0:0", ""},
		{"Memory", `268435456`, "256 MiB", ""},
		{"Memory", `1073741824`, "1 GiB", ""},
		{"Memory", `268435457`, "about 256 MiB", ""},
		{"Memory", `9223372036854771712`, "9007199254740988 KiB", ""},
		{"Memory", `0`, "0", ""},
		{"MemorySwap", `-1`, "-1", ""},
		{"PidsLimit", `1048576`, "1048576", ""},
		{"NanoCpus", `12345678901234567890`, "12345678901234567890", ""},
		{"CapDrop", `[]`, "[]", ""},
		{"CapDrop", `["NET_RAW","ALL"]`, "[NET_RAW, ALL]", ""},
		{"SecurityOpt", `["a\u202eb"]`, `[a\u202eb]`, ""},
		{"CapDrop", `["` + strings.Repeat(`NET_RAW","`, 9) + `X"]`, "[" + strings.Repeat("NET_RAW, ", 6) + "… 4 more]", "[" + strings.Repeat("NET_RAW, ", 9) + "X]"},
		{"CapDrop", `["` + long + `"]`, "[" + long[:70] + "…", "[" + long + "]"},
		{"RestartPolicy", `{"Name":"on-failure","MaximumRetryCount":5}`, "on-failure:5", ""},
		{"RestartPolicy", `{"Name":"always","MaximumRetryCount":0}`, "always", ""},
		{"RestartPolicy", `{"Name":"","MaximumRetryCount":0}`, "no", ""},
		{"Config.Healthcheck", `{"Test":["CMD-SHELL","ready"],"Interval":90000000000,"StartPeriod":1500000,"Retries":3}`, "{Test: [CMD-SHELL, ready], Interval: 1m30s, Retries: 3, StartPeriod: 1.…", "{Test: [CMD-SHELL, ready], Interval: 1m30s, Retries: 3, StartPeriod: 1.5ms}"},
		{"Tmpfs", `{"/tmp":"rw","/run":""}`, `{/run: "", /tmp: "rw"}`, ""},
		{"X", `[1,null,{"a":[true]}]`, "[1, (unset), {a: [true]}]", ""},
	}
	for _, tt := range tests {
		if got := value(tt.path, raw(tt.in), false); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.path, tt.in, got, tt.want)
		}
		if tt.whole != "" {
			if got := value(tt.path, raw(tt.in), true); got != tt.whole {
				t.Errorf("%s %s whole: got %q, want %q", tt.path, tt.in, got, tt.whole)
			}
		}
	}
}

func TestCIS(t *testing.T) {
	tests := []struct {
		refs map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{newRef: "5.26", oldRef: "5.25"}, "CIS 5.26 (5.25)"},
		{map[string]string{newRef: "3.18", oldRef: "3.18"}, "CIS 3.18"},
		{map[string]string{newRef: "1.1.4"}, "CIS 1.1.4"},
		{map[string]string{oldRef: "2.1"}, "CIS (2.1)"},
	}
	for _, tt := range tests {
		if got := cis(tt.refs); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.refs, got, tt.want)
		}
	}
	numbers, letters := refsOf(sampleRules(), []string{"docker/no-new-privileges", "docker/capabilities", "docker/unknown"})
	if numbers != "CIS 5.26 (5.25), 5.4 (5.3)" || letters != "[E,S]" {
		t.Errorf("joined: %s %s", numbers, letters)
	}
}
