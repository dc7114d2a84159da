package main

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"docker-harden/cmd/reliability/row"
)

func sample() []proof {
	return []proof{
		{Row: row.Row{Table: row.Crash, ID: "recreate/tool/02", Case: "after record prepared", Apply: "new", Rollback: "old", Test: "TestToolKilled/recreate/02", Result: "pass"}, Package: "cmd/reliability/crashtest"},
		{Row: row.Row{Table: row.Fault, ID: "pipe|star*", Case: "a \\ b | c\n<script>`x`_y_ [l](u) \x1b[31m", Test: "TestX", Result: "pass"}, Package: "remediate"},
		{Row: row.Row{Table: row.Recreate, ID: "2", Case: "two", Test: "TestTwo", Result: "pass"}, Package: "remediate/docker/container"},
		{Row: row.Row{Table: row.Recreate, ID: "10", Case: "ten", Test: "TestTen", Result: "pass"}, Package: "remediate/docker/container"},
		{Row: row.Row{Table: "engines", ID: "28.5", Case: "another table", Test: "TestE", Result: "pass"}, Package: "p"},
	}
}

// A document is read back as it was written, and written again it is the same.
func TestDocumentThereAndBack(t *testing.T) {
	first, err := render(sample(), "20.10.24")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parse(first)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(sample()) {
		t.Fatalf("%d rows came back of %d:\n%s", len(rows), len(sample()), first)
	}
	for i, want := range sample() {
		if i != 1 && rows[i] != want {
			t.Errorf("got %+v, want %+v", rows[i], want)
		}
	}
	if got := rows[1].Case; got != "a \\ b | c <script>`x`_y_ [l](u) \uFFFD[31m" {
		t.Errorf("the odd case came back as %q", got)
	}
	if again, err := render(rows, "20.10.24"); err != nil || again != first {
		t.Errorf("the document changes when it is written again: %v", err)
	}
	if strings.Contains(first, "<script>") || strings.Contains(first, "\x1b") {
		t.Error("a cell is not escaped")
	}
}

func TestParseRefusesBrokenTables(t *testing.T) {
	for _, bad := range []string{"| 1 | two |", "| 1 | a | b | c | d | pass | more |", "| 1 | a | b | c | d | pass"} {
		if rows, err := parse(section + "fault -->\n\n" + header + "\n" + rule + "\n" + bad + "\n"); err == nil {
			t.Errorf("%q is read as %+v", bad, rows)
		}
	}
	if rows, err := parse("| a | b |\n|---|---|\n| 1 | 2 |\n"); err != nil || len(rows) > 0 {
		t.Errorf("a table outside the sections: %+v, %v", rows, err)
	}
}

func TestMerge(t *testing.T) {
	at := func(pkg, id, result string) proof {
		return proof{Row: row.Row{Table: row.Recreate, ID: id, Test: "T" + id, Result: result}, Package: pkg}
	}
	ids := func(rows []proof) string {
		var out []string
		for _, p := range rows {
			out = append(out, p.Package+p.ID+p.Result)
		}
		return strings.Join(out, " ")
	}
	old := []proof{at("a", "1", "pass"), at("a", "2", "pass"), at("b", "3", "pass"), at("c", "4", "pass")}
	for _, tt := range []struct {
		name   string
		got    []proof
		partly bool
		want   string
	}{
		{"a package proves fewer rows than before", []proof{at("a", "1", "pass")}, false, "a1pass b3pass c4pass"},
		{"part of a package", []proof{at("a", "1", "fail")}, true, "a1fail a2pass b3pass c4pass"},
		{"skipped: the old result stays", []proof{at("c", "4", "skip")}, false, "a1pass a2pass b3pass c4pass"},
		{"skipped and never seen before", []proof{at("c", "5", "skip")}, false, "a1pass a2pass b3pass c4pass c5skip"},
		{"rows of another table, which another run of the package proves", []proof{{Row: row.Row{Table: row.Engine, ID: "9", Result: "pass"}, Package: "a"}}, false, "a1pass a2pass b3pass c4pass a9pass"},
		{"twice the same", []proof{at("d", "9", "pass"), at("d", "9", "pass")}, false, "a1pass a2pass b3pass c4pass d9pass"},
	} {
		if got := ids(merge(old, tt.got, tt.partly)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestOrderIsByNumber(t *testing.T) {
	rows := []proof{
		{Row: row.Row{Table: row.Recreate, ID: "10"}},
		{Row: row.Row{Table: row.Recreate, ID: "9"}},
		{Row: row.Row{Table: row.Crash, ID: "recreate/tool/100"}},
		{Row: row.Row{Table: row.Crash, ID: "recreate/tool/11"}},
		{Row: row.Row{Table: row.Crash, ID: "daemon/tool/1"}},
	}
	slices.SortFunc(rows, order)
	var got []string
	for _, p := range rows {
		got = append(got, p.ID)
	}
	if want := "daemon/tool/1 recreate/tool/11 recreate/tool/100 9 10"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
}

func TestIncomplete(t *testing.T) {
	var all []proof
	for _, table := range tables() {
		for n := range max(table.cases, 1) {
			all = append(all, proof{Row: row.Row{Table: table.name, ID: strconv.Itoa(n + 1), Result: "pass"}})
		}
	}
	if err := incomplete(all); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	for _, tt := range []struct {
		name string
		rows []proof
		want string
	}{
		{"a case", slices.DeleteFunc(slices.Clone(all), func(p proof) bool { return p.Table == row.Daemon && p.ID == "83" }), "daemon case 83"},
		{"a table", slices.DeleteFunc(slices.Clone(all), func(p proof) bool { return p.Table == row.Crash }), `"crash" is empty`},
		{"a failure", append(slices.Clone(all), proof{Row: row.Row{Table: row.Fault, ID: "x", Result: "fail"}}), "fault x: fail"},
		{"a skip", append(slices.Clone(all), proof{Row: row.Row{Table: row.Fault, ID: "x", Result: "skip"}}), "fault x: skip"},
	} {
		if err := incomplete(tt.rows); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The rows are found in what go test prints, also of tests that print in between, and failures are named.
func TestCollect(t *testing.T) {
	events := `{"Action":"output","Package":"docker-harden/p","Test":"TestA","Output":"    a_test.go:1: reliability-row: {\"table\":\"fault\",\"id\":\"x\",\"ca"}
{"Action":"output","Package":"docker-harden/p","Test":"TestB","Output":"noise\n"}
{"Action":"output","Package":"docker-harden/p","Test":"TestA","Output":"se\":\"c\",\"test\":\"TestA\",\"result\":\"pass\"}\n"}
{"Action":"fail","Package":"docker-harden/p","Test":"TestB"}
{"Action":"fail","Package":"docker-harden/p"}
no event
`
	var said bytes.Buffer
	rows, failed := collect(strings.NewReader(events), &said)
	want := proof{Row: row.Row{Table: "fault", ID: "x", Case: "c", Test: "TestA", Result: "pass"}, Package: "p"}
	if len(rows) != 1 || rows[0] != want {
		t.Errorf("rows: %+v", rows)
	}
	if strings.Join(failed, ", ") != "p, p TestB" {
		t.Errorf("failed: %v", failed)
	}
	if !strings.Contains(said.String(), "noise") {
		t.Errorf("the output of a failed test is not shown: %q", said.String())
	}
}

// The packages are found by what their tests import.
func TestProving(t *testing.T) {
	t.Chdir("../..")
	found, err := proving(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := module + "/remediate/docker/container"; !slices.Contains(found, want) {
		t.Errorf("%s is not among %v", want, found)
	}
	if own := module + "/cmd/reliability"; slices.Contains(found, own) {
		t.Error("the program's own tests prove nothing")
	}
}

// What a run printed earlier is as good as a run, unless something failed in it.
func TestRecorded(t *testing.T) {
	const event = `{"Action":"output","Package":"docker-harden/p","Test":"TestA","Output":"a_test.go:1: reliability-row: {\"table\":\"fault\",\"id\":\"x\",\"case\":\"c\",\"test\":\"TestA\",\"result\":\"pass\"}\n"}` + "\n"
	for name, tt := range map[string]struct {
		events string
		wrong  bool
	}{
		"passed": {event, false},
		"failed": {event + `{"Action":"fail","Package":"docker-harden/p","Test":"TestB"}` + "\n", true},
	} {
		in, out := t.TempDir()+"/events", t.TempDir()+"/out.md"
		if err := os.WriteFile(in, []byte(tt.events), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		if err := run(t.Context(), []string{"-part", "-o", out, "-from", in}, &said); (err != nil) != tt.wrong {
			t.Errorf("%s: %v", name, err)
		}
		text, err := os.ReadFile(out)
		if tt.wrong != (err != nil) || !tt.wrong && !strings.Contains(string(text), "| x | c |") {
			t.Errorf("%s: the document is %q, %v", name, text, err)
		}
	}
	if err := run(t.Context(), []string{"-o", t.TempDir() + "/out.md", "-from", "/no/such/file"}, &bytes.Buffer{}); err == nil {
		t.Error("a file that is not there proves something")
	}
}

// A run that fails leaves the document alone.
func TestFailureWritesNothing(t *testing.T) {
	out := t.TempDir() + "/out.md"
	var said bytes.Buffer
	if err := run(t.Context(), []string{"-o", out, module + "/no/such/package"}, &said); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a document was written")
	}
}
