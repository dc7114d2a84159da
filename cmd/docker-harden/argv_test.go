package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testApp() *app {
	return &app{in: strings.NewReader(""), out: &strings.Builder{}, err: &strings.Builder{}, getenv: func(string) string { return "" }}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, line, words string
		flags, args       []string
		help              bool
	}{
		{"flag after argument", "apply host.plan --dry-run", "apply", []string{"--dry-run"}, []string{"host.plan"}, false},
		{"flag before argument", "apply --dry-run host.plan", "apply", []string{"--dry-run"}, []string{"host.plan"}, false},
		{"flag between arguments", "plan daemon -p x host", "plan", []string{"--profile=x"}, []string{"daemon", "host"}, false},
		{"value with equals", "plan -p=x --format=json", "plan", []string{"--profile=x", "--format=json"}, nil, false},
		{"equals in the value", "apply -m a=b", "apply", []string{"--message=a=b"}, nil, false},
		{"empty value", "apply -m= x", "apply", []string{"--message="}, []string{"x"}, false},
		{"false", "apply --dry-run=false x", "apply", []string{"--dry-run=false"}, []string{"x"}, false},
		{"global flag first", "-D --context web plan", "plan", []string{"--debug", "--context=web"}, nil, false},
		{"global flag last", "plan -H unix:///x", "plan", []string{"--host=unix:///x"}, nil, false},
		{"value that is a dash", "plan -o -", "plan", []string{"--out=-"}, nil, false},
		{"a dash is an argument", "snapshot -", "snapshot", nil, []string{"-"}, false},
		{"after -- all is argument", "apply -- --dry-run -y", "apply", nil, []string{"--dry-run", "-y"}, false},
		{"value that looks like a flag", "apply -m=--dry-run x", "apply", []string{"--message=--dry-run"}, []string{"x"}, false},
		{"repeated", "plan --skip a --skip b,c", "plan", []string{"--skip=a", "--skip=b,c"}, nil, false},
		{"nested", "profile show x --format json", "profile show", []string{"--format=json"}, []string{"x"}, false},
		{"plugin", "-D --context x harden plan", "plan", []string{"--debug", "--context=x"}, nil, false},
		{"harden as a target", "plan harden", "plan", nil, []string{"harden"}, false},
		{"help flag", "plan -h", "plan", nil, nil, true},
		{"help word", "help profile init", "profile init", nil, nil, true},
		{"help as a target", "plan help", "plan", nil, []string{"help"}, false},
		{"nothing", "", "", nil, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := parse(testApp().commands(), globalFlags(), strings.Fields(test.line))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.words(); got != test.words {
				t.Errorf("command %q, want %q", got, test.words)
			}
			if d := cmp.Diff(test.flags, r.flags); d != "" {
				t.Errorf("flags (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.args, r.args); d != "" {
				t.Errorf("arguments (-want +got):\n%s", d)
			}
			if r.help != test.help {
				t.Errorf("help %v, want %v", r.help, test.help)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ line, want, help string }{
		{"plna", `unknown command "plna"; did you mean "plan"?`, ""},
		{"profile shwo", `unknown command "profile shwo"; did you mean "show"?`, "profile"},
		{"xyzzy", `unknown command "xyzzy"`, ""},
		{"apply --dryrun", `unknown flag --dryrun; did you mean "--dry-run"?`, "apply"},
		{"apply -dry-run x", `unknown flag -dry-run: write --dry-run`, "apply"},
		{"apply --y x", `unknown flag --y: write -y`, "apply"},
		{"plan -qD", `unknown flag -qD: flags are written one by one: -q -D`, "plan"},
		{"--dry-run apply x", `unknown flag --dry-run before the command; a command's own flags stand after it`, ""},
		{"apply x -m", `flag -m needs a value`, "apply"},
		{"apply x -m --dry-run", `flag -m needs a value, and --dry-run is a flag; if it is meant, write --message=--dry-run`, "apply"},
		{"-- plan", `there is no command before --`, ""},
	} {
		t.Run(test.line, func(t *testing.T) {
			_, err := parse(testApp().commands(), globalFlags(), strings.Fields(test.line))
			var usage *usageError
			if !errors.As(err, &usage) {
				t.Fatalf("error %v, want a usage error", err)
			}
			if usage.text != test.want {
				t.Errorf("error %q, want %q", usage.text, test.want)
			}
			if usage.help != test.help {
				t.Errorf("points to the help of %q, want %q", usage.help, test.help)
			}
		})
	}
}

// FuzzParse: whatever the line, a flag that stands before "--" is never taken for an argument, and
// the line as rewritten is read the same way again.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"apply host.plan --dry-run", "plan -p x -- --dry-run", "-D harden profile show a --format=json", "apply -m --dry-run",
		"plan --skip= -H", "help plan", "--", "apply - -y", "apply --dry-run=--dry-run", "profile", "plan -- -- -",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, " ")
		commands := testApp().commands()
		r, err := parse(commands, globalFlags(), words)
		if err != nil {
			var usage *usageError
			if !errors.As(err, &usage) {
				t.Fatalf("%q: %v is no usage error", words, err)
			}
			return
		}
		end := slices.Index(words, "--")
		for i, arg := range r.args {
			if len(arg) < 2 || arg[0] != '-' {
				continue
			}
			if end < 0 || len(r.args)-i > len(words)-end-1 {
				t.Fatalf("%q: %q became an argument", words, arg)
			}
		}
		again, err := parse(commands, globalFlags(), r.argv(program)[1:])
		if len(r.path) == 0 || len(r.path[len(r.path)-1].Subcommands) > 0 {
			return
		}
		if err != nil {
			t.Fatalf("%q: rewritten as %q it is not understood: %v", words, r.argv(program), err)
		}
		if !slices.Equal(again.flags, r.flags) || !slices.Equal(again.args, r.args) || again.words() != r.words() {
			t.Fatalf("%q: rewritten as %q it means something else", words, r.argv(program))
		}
	})
}

// TestEveryFlagEverywhere: each flag of each command is understood before and after an argument,
// and no two flags of a command have the same name.
func TestEveryFlagEverywhere(t *testing.T) {
	for _, words := range leaves(testApp().commands(), nil) {
		r, err := parse(testApp().commands(), globalFlags(), words)
		if err != nil {
			t.Fatal(err)
		}
		c := r.path[len(r.path)-1]
		seen := make(map[string]bool)
		for _, f := range c.Flags {
			for _, s := range spellings(f) {
				if seen[s] {
					t.Errorf("%v: two flags are written %s", words, s)
				}
				seen[s] = true
				given := []string{s}
				if takesValue(f) {
					given = append(given, "value")
				}
				for _, line := range [][]string{
					slices.Concat(words, given, []string{"argument"}), slices.Concat(words, []string{"argument"}, given),
				} {
					got, err := parse(testApp().commands(), globalFlags(), line)
					if err != nil || !slices.Equal(got.args, []string{"argument"}) {
						t.Errorf("%q: arguments %q, error %v", line, got.args, err)
					}
				}
			}
		}
	}
}
