package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"docker-harden/cmd/reliability/row"
)

// testRun is one call of go test.
type testRun struct {
	packages []string
	only     string
	timeout  time.Duration
	tags     string
	say      io.Writer
}

// proving finds the packages whose tests prove rows.
func proving(ctx context.Context, tags string) ([]string, error) {
	const form = `{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-tags", tags, "-f", form, module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list packages: %w", err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if own := module + "/cmd/reliability"; words[0] != own && slices.Contains(words[1:], own+"/row") {
			found = append(found, words[0])
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no package has a test that proves a row")
	}
	return found, nil
}

// test runs tests and collects their rows. It fails when a test does.
func test(ctx context.Context, r testRun) ([]proof, error) {
	args := []string{"test", "-json", "-v", "-count=1", "-p", "2", "-timeout", r.timeout.String(), "-tags", r.tags}
	if r.only != "" {
		args = append(args, "-run", r.only)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, r.packages...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HARDEN_TEST_THOROUGH=1")
	r.say = &turns{w: r.say} // the tests' own words come while ours do
	cmd.Stderr = r.say
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot run the tests: %w", err)
	}
	rows, failed := collect(out, r.say)
	err = cmd.Wait()
	switch {
	case len(failed) > 0:
		return nil, fmt.Errorf("%d tests failed; the document stays as it is: %s", len(failed), strings.Join(failed, ", "))
	case err != nil:
		return nil, fmt.Errorf("cannot run the tests: %w", err)
	}
	return rows, nil
}

// turns lets one writer at a time through.
type turns struct {
	mu sync.Mutex
	w  io.Writer
}

func (t *turns) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

// collect reads events: the rows, and the tests and packages that failed, whose output it prints.
func collect(events io.Reader, say io.Writer) (rows []proof, failed []string) {
	output := map[string]*bytes.Buffer{}
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			name := strings.TrimSuffix(strings.TrimPrefix(e.Package, module+"/")+" "+e.Test, " ")
			switch {
			case e.Action == "output":
				if output[name] == nil {
					output[name] = &bytes.Buffer{}
				}
				output[name].WriteString(e.Output)
			case e.Action == "fail":
				failed = append(failed, name)
				fmt.Fprintf(say, "--- %s\n%s", name, text(output[name]))
			}
			if e.Test == "" && (e.Action == "pass" || e.Action == "fail") {
				fmt.Fprintln(say, e.Action, e.Package)
			}
		}
		if err != nil {
			break
		}
	}
	for name, out := range output {
		pkg, _, _ := strings.Cut(name, " ")
		rows = append(rows, marked(pkg, out)...)
	}
	slices.SortFunc(rows, order)
	slices.Sort(failed)
	return rows, failed
}

func text(b *bytes.Buffer) string {
	if b == nil {
		return ""
	}
	return b.String()
}

// marked finds the rows in what a test printed.
func marked(pkg string, out *bytes.Buffer) []proof {
	var rows []proof
	for line := range strings.Lines(text(out)) {
		_, raw, ok := strings.Cut(strings.TrimSpace(line), row.Mark)
		p := proof{Package: pkg}
		if ok && json.Unmarshal([]byte(raw), &p.Row) == nil {
			rows = append(rows, p)
		}
	}
	return rows
}

// engineVersion is that of the engine that the test hosts run.
func engineVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "dockerd", "--version").Output()
	fields := strings.Fields(string(out))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.TrimSuffix(fields[2], ",")
}
