package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"docker-harden/plan/profile"
)

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 11, 28, 23, 59, 59, 0, time.FixedZone("west", -6*3600)) // 29 November in UTC
	for text, want := range map[string]string{
		"2026-11-30": "2026-11-30", "2028-02-29": "2028-02-29", "1d": "2026-11-30", "90d": "2027-02-27", "12w": "2027-02-21",
	} {
		if got, err := expiry(text, now); err != nil || got.Format(time.DateOnly) != want || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "90", "-1d", "0d", "1.5d", "1h", "3m", "2026-11-29", "2026-11-28", "2027-02-29", "2027-6-30", "30.06.2027", "9999999d", "99999999999999999999d", "１d", "1d ", "d1",
	} {
		var usage *usageError
		if got, err := expiry(text, now); !errors.As(err, &usage) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestAccepted(t *testing.T) {
	now := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		expires, words, state string
		days                  int
	}{
		{"", "in force", "in-force", 0},
		{"2026-11-28", "expires today", "in-force", 0},
		{"2026-11-29", "expires in 1 day", "in-force", 1},
		{"2027-11-28", "expires in 365 days", "in-force", 365},
		{"2026-11-27", "expired", "expired", -1},
	} {
		e := profile.Exception{}
		if test.expires != "" {
			day, err := time.Parse(time.DateOnly, test.expires)
			if err != nil {
				t.Fatal(err)
			}
			e.Expires = day
		}
		got := accepted(e, now)
		if got.words() != test.words || got.State != test.state || got.Expires != test.expires || (got.DaysLeft == nil) != (test.expires == "") {
			t.Errorf("%s: %+v, %q", test.expires, got, got.words())
		}
		if got.DaysLeft != nil && *got.DaysLeft != test.days {
			t.Errorf("%s: %d days left, want %d", test.expires, *got.DaysLeft, test.days)
		}
	}
}

// TestExceptionNames: what stands in a file cannot reach the terminal as it is.
func TestExceptionNames(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.yaml")
	text := "format: docker-harden/profile/v1\nname: x\nextends: baseline\nexceptions:\n" +
		`- {control: icc, target: daemon, reason: "\u001b[31mred\u202e", owner: "a\tb\nc"}` + "\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"list", "--format", "json"}, {"remove", "daemon", "icc"}} {
		code, stdout, stderr := runApp(t, append(append([]string{"exception"}, args...), "-p", name)...)
		if code != exitOK || strings.ContainsAny(stdout+stderr, "\x1b\u202e") || !strings.Contains(stdout, "red") {
			t.Errorf("%v: exit %d\n%q\n%q", args, code, stdout, stderr)
		}
		if lines := strings.Count(stdout, "\n"); args[0] == "list" && len(args) == 1 && lines != 2 {
			t.Errorf("a name makes a line of its own:\n%s", stdout)
		}
	}
}
