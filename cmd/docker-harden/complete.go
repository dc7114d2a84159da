package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/urfave/cli/v2"
)

// candidate is one completion and what it stands for.
type candidate struct{ word, text string }

// directive tells the shell what to do besides the candidates. The numbers are those of the
// protocol that the docker CLI speaks with its plugins.
type directive int

const (
	completeFailed  directive = 1
	completeNoSpace directive = 2
	completeNoFiles directive = 4
	completeFiles   directive = 0
)

// engineWait is how long a TAB may wait for the engine.
const engineWait = time.Second

// complete answers a TAB: the candidates for the last word, one a line, then the directive.
func (a *app) complete(ctx context.Context, words []string, texts bool) error {
	found, what := a.candidates(ctx, words)
	var b strings.Builder
	for _, c := range found {
		b.WriteString(clean(c.word))
		if texts && c.text != "" {
			b.WriteString("\t" + clean(c.text))
		}
		b.WriteString("\n")
	}
	_, err := fmt.Fprintf(a.out, "%s:%d\n", b.String(), what)
	return err
}

func (a *app) candidates(ctx context.Context, words []string) ([]candidate, directive) {
	if len(words) == 0 {
		words = []string{""}
	}
	current := words[len(words)-1]
	p := parser{commands: a.commands(), flags: globalFlags()}
	err := p.read(words[:len(words)-1])
	name, value, isFlag := strings.Cut(current, "=")
	switch {
	case p.pending != nil:
		found, what := a.flagValues(ctx, p, p.pending)
		return matching(found, current), what
	case err != nil:
		return nil, completeFailed | completeNoFiles
	case isFlag && strings.HasPrefix(current, "-"):
		f := p.find(name)
		if f == nil {
			return nil, completeNoFiles
		}
		found, what := a.flagValues(ctx, p, f)
		found = matching(found, value)
		for i := range found {
			found[i].word = name + "=" + found[i].word
		}
		return found, what
	case strings.HasPrefix(current, "-") && !slices.Contains(words[:len(words)-1], "--"):
		return matching(flagCandidates(p), current), completeNoFiles
	case p.commands != nil:
		return matching(commandCandidates(p.commands), current), completeNoFiles
	}
	found, what := a.arguments(ctx, p)
	return matching(found, current), what
}

func matching(found []candidate, prefix string) []candidate {
	return slices.DeleteFunc(found, func(c candidate) bool { return !strings.HasPrefix(c.word, prefix) })
}

func commandCandidates(commands []*cli.Command) []candidate {
	var out []candidate
	for _, c := range commands {
		if !c.Hidden {
			out = append(out, candidate{c.Name, c.Usage})
		}
	}
	return out
}

// flagCandidates are the flags that may stand here; those that were given already are left out,
// unless they may be repeated.
func flagCandidates(p parser) []candidate {
	var out []candidate
	for _, f := range p.flags {
		_, list := f.(*cli.StringSliceFlag)
		given := slices.ContainsFunc(p.request.flags, func(have string) bool {
			return have == canonicalName(f) || strings.HasPrefix(have, canonicalName(f)+"=")
		})
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || !visible(f) || given && !list {
			continue
		}
		_, text := unquote(doc.GetUsage())
		out = append(out, candidate{canonicalName(f), text})
	}
	return out
}

func (a *app) flagValues(ctx context.Context, p parser, f cli.Flag) ([]candidate, directive) {
	if c, ok := f.(*choiceFlag); ok {
		return plain(c.values...), completeNoFiles
	}
	switch f.Names()[0] {
	case "profile":
		return plain(profileNames()...), completeFiles
	case "only":
		return controlCandidates(), completeNoFiles
	case "target":
		return a.targets(ctx, p), completeNoFiles
	case "skip":
		return append(a.targets(ctx, p), controlCandidates()...), completeNoFiles
	case "allow-unrevertable":
		return a.targets(ctx, p), completeNoFiles
	case "context":
		return plain(a.contexts(p)...), completeNoFiles
	case "out", "from", "scan", "evidence", "baseline", "tlscacert", "tlscert", "tlskey", "state-dir", "config":
		return nil, completeFiles
	}
	return nil, completeNoFiles
}

// arguments completes what a command acts on.
func (a *app) arguments(ctx context.Context, p parser) ([]candidate, directive) {
	first := len(p.args) == 0
	switch words := p.words(); {
	case words == "plan" || words == "check":
		return a.targets(ctx, p), completeNoFiles
	case words == "explain":
		return controlCandidates(), completeNoFiles
	case words == "exception add" || words == "exception remove":
		return a.exceptionWords(ctx, p), completeNoFiles
	case !first:
		return nil, completeNoFiles
	case words == "apply" || words == "snapshot" || words == "profile validate":
		return nil, completeFiles
	case words == "show":
		return a.generations(p), completeFiles
	case slices.Contains([]string{"confirm", "rollback", "prune", "verify"}, words):
		return a.generations(p), completeNoFiles
	case words == "profile show" || words == "profile init":
		return plain(profileNames()...), completeNoFiles
	case words == "completion":
		return plain("bash", "zsh", "fish"), completeNoFiles
	}
	return nil, completeNoFiles
}

func plain(words ...string) []candidate {
	var out []candidate
	for _, w := range words {
		out = append(out, candidate{word: w})
	}
	return out
}

// given is the value of a flag on the line so far.
func given(p parser, name string) string {
	value := ""
	for _, f := range p.request.flags {
		if v, ok := strings.CutPrefix(f, "--"+name+"="); ok {
			value = v
		}
	}
	return value
}

// targets are what a plan can be narrowed to: containers and projects as far as the engine answers in time.
func (a *app) targets(ctx context.Context, p parser) []candidate {
	out := []candidate{{"daemon", "the engine and its daemon.json"}, {"host", "files of the host"}, {"swarm", "the swarm that the host is a manager of"}}
	host, name := given(p, "host"), given(p, "context")
	e, err := endpointFlags{
		Host: host, HostSet: host != "", Context: name, ContextSet: name != "", Config: given(p, "config"),
	}.resolve(a.getenv)
	if err != nil {
		return out
	}
	c, err := e.dial()
	if err != nil {
		return out
	}
	defer c.Close() //nolint:errcheck // nothing was written
	ctx, cancel := context.WithTimeout(ctx, engineWait)
	defer cancel()
	list, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return out
	}
	var found []candidate
	for _, item := range list {
		for _, n := range item.Names {
			if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
				found = append(found, candidate{"container/" + n, item.Image})
			}
		}
		if project := item.Labels[composeProject]; project != "" {
			found = append(found, candidate{"project/" + project, "Compose project"})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return strings.Compare(a.word, b.word) })
	found = slices.CompactFunc(found, func(a, b candidate) bool { return a.word == b.word })
	return append(out, found...)
}

// generations are the numbers of the generations on this host, newest first.
func (a *app) generations(p parser) []candidate {
	dir := given(p, "state-dir")
	if dir == "" {
		dir = a.getenv("DOCKER_HARDEN_STATE_DIR")
	}
	if dir == "" {
		dir = a.defaultStateDir()
	}
	entries, err := os.ReadDir(filepath.Join(dir, "generations"))
	if err != nil {
		return nil
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	slices.Reverse(numbers)
	var out []candidate
	for _, n := range numbers {
		out = append(out, candidate{strconv.Itoa(n), "generation"})
	}
	return out
}

// contexts are the names in the docker CLI's store.
func (a *app) contexts(p parser) []string {
	config := endpointFlags{Config: given(p, "config")}.configDir(a.getenv)
	return append([]string{"default"}, contextNames(config)...)
}
