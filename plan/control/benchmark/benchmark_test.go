package benchmark

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// chapter is a section of a version and how many recommendations it has.
type chapter struct {
	number string
	count  int
}

var chapters = map[string][]chapter{
	V120: {{"1.1", 2}, {"1.2", 12}, {"2", 17}, {"3", 22}, {"4", 11}, {"5", 31}, {"6", 2}, {"7", 10}},
	V160: {{"1.1", 18}, {"1.2", 2}, {"2", 18}, {"3", 24}, {"4", 12}, {"5", 32}, {"6", 2}, {"7", 9}},
	V180: {{"1.1", 18}, {"1.2", 2}, {"2", 19}, {"3", 24}, {"4", 12}, {"5", 32}, {"6", 2}, {"7", 9}},
}

// TestTableIsWhole fails for a number of a version that the table lacks, has twice, or has too many.
func TestTableIsWhole(t *testing.T) {
	for version, list := range chapters {
		var want, got []string
		for _, c := range list {
			for n := 1; n <= c.count; n++ {
				want = append(want, fmt.Sprintf("%s.%d", c.number, n))
			}
		}
		for _, r := range Recommendations() {
			if n := r.Number(version); n != "" {
				got = append(got, n)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s has\n%s\nand the table\n%s", version, strings.Join(want, " "), strings.Join(got, " "))
		}
	}
}

// TestNewestHasAllInOrder: the table is read from top to bottom by the newest numbers.
func TestNewestHasAllInOrder(t *testing.T) {
	var last []int
	for _, r := range Recommendations() {
		var number []int
		for _, part := range strings.Split(r.V180, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				t.Fatalf("%q: number %q", r.Title, r.V180)
			}
			number = append(number, n)
		}
		if slices.Compare(last, number) >= 0 {
			t.Errorf("%s comes after %v", r.V180, last)
		}
		last = number
	}
}

// TestNumbersMove: 1.8.0 put a new recommendation at 2.7 and moved those behind it, and nothing else.
func TestNumbersMove(t *testing.T) {
	const section, kept = "2.", 6
	for _, r := range Recommendations() {
		want := r.V160
		if n, err := strconv.Atoi(strings.TrimPrefix(r.V160, section)); err == nil && strings.HasPrefix(r.V160, section) && n > kept {
			want = section + strconv.Itoa(n+1)
		}
		if r.V160 == "" {
			want = "2.7"
		}
		if r.V180 != want {
			t.Errorf("%s of 1.6.0 is %s in 1.8.0, want %s", r.V160, r.V180, want)
		}
	}
}

func TestTitles(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Recommendations() {
		if r.Title == "" || seen[r.Title] || strings.HasSuffix(r.Title, ".") || strings.ContainsAny(r.Title, "|\n*_<") {
			t.Errorf("%s: title %q is empty, there twice, or no phrase for a table", r.V180, r.Title)
		}
		if first := []rune(r.Title)[0]; unicode.IsLower(first) && !strings.HasPrefix(r.Title, "docker ") {
			t.Errorf("%s: title %q begins small", r.V180, r.Title)
		}
		seen[r.Title] = true
	}
}

func TestNumbers(t *testing.T) {
	r := Recommendation{V160: "2.1", V180: "2.1"}
	if got := r.Numbers(); len(got) != 2 || got[V160] != "2.1" || got[V180] != "2.1" || r.Number(V120) != "" || r.Number("cis-docker-9") != "" {
		t.Errorf("got %v", got)
	}
	list := Recommendations()
	list[0].Title = "changed"
	if Recommendations()[0].Title == "changed" {
		t.Error("the table can be changed from outside")
	}
}
