// Command reliability runs every test that proves a row of docs/reliability.md and writes that document.
//
//	reliability                 all of them; as root, takes its time
//	reliability PACKAGE...      only these packages; rows that others proved stay as they are in the document
//	reliability -run REGEXP     only tests that match; every other row stays
//	reliability -from FILE      run nothing, take what go test -json -v printed; rows of other packages stay,
//	                            and with -run every row that is not in it
//	reliability -check          run nothing, say what the document lacks
//
// It fails, and leaves the document alone, when a test fails; and it fails when a case is then proven by no
// test, unless -part says that more runs follow: those of other engines, and of the virtual machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	module   = "docker-harden"
	document = "docs/reliability.md"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, say io.Writer) error {
	flags := flag.NewFlagSet("reliability", flag.ContinueOnError)
	flags.SetOutput(say)
	out := flags.String("o", document, "`FILE` to write")
	only := flags.String("run", "", "run only tests that match `REGEXP`, and keep every other row")
	timeout := flags.Duration("timeout", 3*time.Hour, "`TIME` that one package may take")
	tags := flags.String("tags", "", "build `TAGS` for the tests")
	from := flags.String("from", "", "run no test, read what go test -json -v printed from `FILE`")
	part := flags.Bool("part", false, "do not complain of what no test proves yet")
	check := flags.Bool("check", false, "run no test, only say what the document lacks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	before, err := os.ReadFile(*out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	old, err := parse(string(before))
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", *out, err)
	}
	if *check {
		return incomplete(old)
	}
	var got []proof
	if *from != "" {
		got, err = recorded(*from, say)
	} else {
		got, err = ran(ctx, flags.Args(), testRun{only: *only, timeout: *timeout, tags: *tags, say: say})
	}
	if err != nil {
		return err
	}
	rows := merge(old, got, *only != "")
	text, err := render(rows, engineVersion(ctx))
	if err != nil {
		return err
	}
	if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
		return fmt.Errorf("cannot write the document: %w", err)
	}
	fmt.Fprintf(say, "%s: %d rows\n", *out, len(rows))
	if *part {
		return nil
	}
	return incomplete(rows)
}

// ran runs the tests of packages, or of all that prove something.
func ran(ctx context.Context, packages []string, r testRun) (got []proof, err error) {
	r.packages = packages
	if len(packages) == 0 {
		if r.packages, err = proving(ctx, r.tags); err != nil {
			return nil, err
		}
	}
	return test(ctx, r)
}

// recorded reads what an earlier run of go test -json printed. One with a failure proves nothing.
func recorded(path string, say io.Writer) ([]proof, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the tests' output: %w", err)
	}
	defer f.Close()
	rows, failed := collect(f, say)
	if len(failed) > 0 {
		return nil, fmt.Errorf("%d tests failed in %s; the document stays as it is: %s", len(failed), path, strings.Join(failed, ", "))
	}
	return rows, nil
}

// incomplete says what a set of rows lacks: cases that nobody proved, and rows that did not pass.
func incomplete(rows []proof) error {
	var missing []error
	for _, table := range tables() {
		for n := 1; n <= table.cases; n++ {
			id := fmt.Sprint(n)
			if !slices.ContainsFunc(rows, func(p proof) bool { return p.Table == table.name && p.ID == id }) {
				missing = append(missing, fmt.Errorf("%s case %s is proven by no test", table.name, id))
			}
		}
		if table.cases == 0 && !slices.ContainsFunc(rows, func(p proof) bool { return p.Table == table.name }) {
			missing = append(missing, fmt.Errorf("the table %q is empty", table.name))
		}
	}
	for _, p := range rows {
		if p.Result != "pass" {
			missing = append(missing, fmt.Errorf("%s %s: %s (%s)", p.Table, p.ID, p.Result, p.Test))
		}
	}
	return errors.Join(missing...)
}
