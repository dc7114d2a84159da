package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"docker-harden/cmd/reliability/row"
)

// proof is a row and the package whose test proved it.
type proof struct {
	row.Row
	Package string // without the module's name
}

func (p proof) key() string { return strings.Join([]string{p.Table, p.ID, p.Package, p.Test}, "\x00") }

// table is one of the report.
type table struct {
	name, title, intro string
	cases              int // numbered from 1; 0: rows have names
}

// tables in the order of the document.
func tables() []table {
	return []table{
		{name: row.Crash, title: "Killed at any point", intro: crashIntro},
		{name: row.Fault, title: "Faults", intro: "What else goes wrong on a host, and what the tool makes of it."},
		{
			name: row.Recreate, title: "Every kind of container", cases: 68,
			intro: "What a recreate carries over, or refuses before anything is touched. \"After apply\" is the hardened container, \"after rollback\" the old one again.",
		},
		{
			name: row.Daemon, title: "daemon.json and the engine", cases: 83,
			intro: "Files that cannot be edited safely, settings that need more than a reload, engines that do not start.",
		},
		{
			name: row.Engine, title: "On newer engines",
			intro: "The core again on the engines of newer Debian releases (`make test-engines-all`; CI runs a part of it, `make test-engines`): plan, apply, rollback, restarts under systemd.",
		},
		{
			name: row.Machine, title: "In a virtual machine",
			intro: "What kernel namespaces cannot show runs in a virtual machine of its own (`make test-vm`).",
		},
	}
}

const crashIntro = "Every point is an instant after one thing is done and before the next: a record of the rollback file, a call of the engine, " +
	"a file that is replaced, a signal. \"tool\" is the tool killed there, \"back\" a rollback killed there, \"onward\" a resume killed there, " +
	"\"engine\" the engine killed there while the tool goes on, \"power\" the tool, the engine and all containers killed there and the engine started " +
	"again without the tool. \"After apply\" is the state after one resume, \"after rollback\" the state after one rollback; each was run twice, and " +
	"the second time had nothing to do. Old is the host as it was before the apply in every byte and setting that is compared, new is the host as planned."

// merge puts new rows in the place of old ones. A package that was run whole proves all its rows of a table
// anew: those it did not prove again are gone. A row that was skipped takes nobody's place.
func merge(old, got []proof, partly bool) []proof {
	ran := map[[2]string]bool{}
	fresh := map[string]bool{}
	for _, p := range got {
		whole := [2]string{p.Package, p.Table}
		ran[whole] = ran[whole] || p.Result != "skip"
		fresh[p.key()] = true
	}
	var out []proof
	stays := map[string]bool{}
	for _, p := range old {
		skipped := slices.ContainsFunc(got, func(g proof) bool { return g.key() == p.key() && g.Result == "skip" })
		if skipped || !fresh[p.key()] && (partly || !ran[[2]string{p.Package, p.Table}]) {
			out, stays[p.key()] = append(out, p), true
		}
	}
	for _, p := range got {
		if !stays[p.key()] {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, order)
	return slices.CompactFunc(out, func(a, b proof) bool { return a.key() == b.key() && a.Result == b.Result })
}

// order is by table, number or name, and test.
func order(a, b proof) int {
	return cmp.Or(
		cmp.Compare(place(a.Table), place(b.Table)), cmp.Compare(a.Table, b.Table),
		byNumber(a.ID, b.ID),
		cmp.Compare(a.Package, b.Package), cmp.Compare(a.Test, b.Test), cmp.Compare(a.Result, b.Result),
	)
}

func place(name string) int {
	for i, t := range tables() {
		if t.name == name {
			return i
		}
	}
	return len(tables())
}

// byNumber compares names part by part, numbers by value.
func byNumber(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "/"), strings.Split(b, "/"), func(x, y string) int {
		n, err1 := strconv.Atoi(x)
		m, err2 := strconv.Atoi(y)
		if err1 == nil && err2 == nil {
			return cmp.Compare(n, m)
		}
		return cmp.Compare(x, y)
	})
}
