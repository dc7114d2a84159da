package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// completeWords asks the tool itself for completions.
func completeWords(t *testing.T, words ...string) (names []string, what string) {
	t.Helper()
	code, stdout, stderr := runApp(t, append([]string{"__complete"}, words...)...)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d, stderr %q", code, stderr)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		name, _, _ := strings.Cut(line, "\t")
		names = append(names, name)
	}
	return names, lines[len(lines)-1]
}

func TestComplete(t *testing.T) {
	state := t.TempDir()
	for _, n := range []string{"1", "2", "10"} {
		write(t, filepath.Join(state, "generations", n, "rollback.jsonl"), "")
	}
	write(t, filepath.Join(state, "generations", ".new-123", "x"), "")
	t.Setenv("DOCKER_HARDEN_STATE_DIR", state)
	nowhere := []string{"-H", "unix:///nowhere.sock"}
	site := filepath.Join(state, "site.yaml")
	write(t, site, "format: docker-harden/profile/v1\nname: site\nextends: baseline\nexceptions:\n"+
		"- {control: live-restore, target: daemon, reason: r, owner: o}\n- {control: icc, target: daemon, reason: r, owner: o}\n"+
		"- {control: host-pid, target: container/a, reason: r, owner: o}\n")
	for _, test := range []struct {
		name  string
		words []string
		want  string // all of them
		some  string // some of them
		what  string
	}{
		{"commands", []string{"pl"}, "plan", "", ":4"},
		{"commands after a global flag", []string{"-D", "--context", "x", "ap"}, "apply", "", ":4"},
		{"as docker asks", []string{"harden", "rol"}, "rollback", "", ":4"},
		{"nested commands", []string{"profile", ""}, "list show validate init", "", ":4"},
		{"nested commands of another", []string{"exception", ""}, "add list remove", "", ":4"},
		{"what can be excepted", slices.Concat(nowhere, []string{"exception", "add", ""}), "daemon host swarm", "", ":4"},
		{"from which control", []string{"exception", "add", "daemon", "docker/ic"}, "docker/icc", "", ":4"},
		{"no third argument", []string{"exception", "add", "daemon", "docker/icc", ""}, "", "", ":4"},
		{"what is excepted", []string{"exception", "remove", "-p", site, ""}, "container/a daemon", "", ":4"},
		{"from which it is excepted", []string{"exception", "remove", "-p", site, "daemon", ""}, "docker/icc docker/live-restore", "", ":4"},
		{"nothing in a built-in profile", []string{"exception", "remove", ""}, "", "", ":4"},
		{"flags", []string{"apply", "--on"}, "--only --on-failure", "", ":4"},
		{"flags once", []string{"apply", "--dry-run", "--dry"}, "", "", ":4"},
		{"repeatable flags again", []string{"plan", "--skip", "daemon", "--sk"}, "--skip", "", ":4"},
		{"hidden flags are not offered", []string{"plan", "--log"}, "", "", ":4"},
		{"no flags after --", []string{"apply", "--", "--dry"}, "", "", ":0"},
		{"choices", []string{"plan", "--format", ""}, "text json", "", ":4"},
		{"choices with equals", []string{"plan", "--format=j"}, "--format=json", "", ":4"},
		{"profiles", []string{"plan", "-p", "cis"}, "cis-level1 cis-level2", "", ":0"},
		{"controls", []string{"explain", "docker/no-new"}, "docker/no-new-privileges", "", ":4"},
		{"targets without an engine", slices.Concat(nowhere, []string{"plan", ""}), "daemon host swarm", "", ":4"},
		{"skip takes targets and controls", slices.Concat(nowhere, []string{"plan", "--skip", ""}), "", "daemon docker/capabilities", ":4"},
		{"generations, newest first", []string{"rollback", ""}, "10 2 1", "", ":4"},
		{"one generation only", []string{"rollback", "1", ""}, "", "", ":4"},
		{"plan files", []string{"apply", ""}, "", "", ":0"},
		{"shells", []string{"completion", "z"}, "zsh", "", ":4"},
		{"after an error nothing", []string{"plna", ""}, "", "", ":5"},
		{"nothing at all", nil, "", "plan apply rollback", ":4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, what := completeWords(t, test.words...)
			if what != test.what {
				t.Errorf("directive %s, want %s", what, test.what)
			}
			if test.some == "" && !slices.Equal(got, strings.Fields(test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for _, want := range strings.Fields(test.some) {
				if !slices.Contains(got, want) {
					t.Errorf("%q is not among %q", want, got)
				}
			}
		})
	}
}

// shell runs a program in a shell where the tool is on the PATH.
func shell(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = t.TempDir()
	write(t, filepath.Join(cmd.Dir, "host.plan"), "")
	cmd.Env = append(os.Environ(), "PATH="+binary(t)+":"+os.Getenv("PATH"), "HOME="+cmd.Dir, "TERM=xterm", "DOCKER_HOST=unix:///nowhere.sock")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestBash: the generated script parses, and the shell's own machinery gets the right words from it.
func TestBash(t *testing.T) {
	shell(t, "", "bash", "-c", "docker-harden completion bash | bash -n")
	// compgen's own variables, as readline would set them for the line up to the cursor.
	const ask = `
source <(docker-harden completion bash)
compopt() { :; }
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=() COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
# readline splits at every break character, which becomes a word of its own.
rest=$1
while [[ $rest ]]; do
    if [[ $rest =~ ^[[:space:]]+ ]]; then rest=${rest:${#BASH_REMATCH}}; continue; fi
    [[ $rest =~ ^[=:]+ || $rest =~ ^[^[:space:]=:]+ ]]
    COMP_WORDS+=("${BASH_REMATCH[0]}"); rest=${rest:${#BASH_REMATCH[0]}}
done
[[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_docker_harden
echo "${COMPREPLY[*]}"`
	for line, want := range map[string]string{
		"docker-harden pl":                                     "plan",
		"docker-harden plan --prof":                            "--profile",
		"docker-harden plan --profile cis-level2 --form":       "--format",
		"docker-harden plan --format=j":                        "json",
		"docker-harden plan -H unix:///x.sock --max-risk ":     "low medium high",
		"docker-harden explain docker/no-new-p":                "docker/no-new-privileges",
		"docker-harden apply ho":                               "host.plan",
		"docker-harden apply -m \"two words\" --dry":           "--dry-run",
		"docker-harden -D --color=always profile val":          "validate",
		"docker-harden plna ":                                  "",
		"docker-harden plan --context=default --progress=json": "json",
	} {
		if got := strings.TrimSpace(shell(t, "", "bash", "--norc", "-c", ask, "bash", line)); got != want {
			t.Errorf("%q is completed to %q, want %q", line, got, want)
		}
	}
}

// TestBashTAB presses TAB in a real interactive shell on a terminal.
func TestBashTAB(t *testing.T) {
	out := shell(t, "source <(docker-harden completion bash)\necho GOT docker-harden pro\t\necho GOT; docker-harden pro\tlis\t | head -1; exit\n",
		"script", "-qec", "bash --norc --noprofile -i", "/dev/null")
	if !strings.Contains(out, "PROFILE") || strings.Contains(out, "unknown command") {
		t.Errorf("TAB does not complete:\n%s", out)
	}
}

// TestZsh presses TAB in zsh, with the script sourced and with the script installed.
func TestZsh(t *testing.T) {
	shell(t, "", "bash", "-c", "docker-harden completion zsh | zsh -n /dev/stdin")
	installed := t.TempDir()
	shell(t, "", "bash", "-c", "docker-harden completion zsh > "+installed+"/_docker-harden")
	const ask = `
zmodload zsh/zpty
zpty z "zsh -f -i"
zpty -w z "PS1=; $1; echo rea''dy"
zpty -r -m z dummy "*ready*"
zpty -w -n z $'docker-harden pro\tlis\t\n'
zpty -r -m z out "*(PROFILE|unknown)*"
print -r -- $out`
	for name, load := range map[string]string{
		"sourced":   "autoload -Uz compinit; compinit -D; source <(docker-harden completion zsh)",
		"installed": "fpath=(" + installed + " $fpath); autoload -Uz compinit; compinit -u -D",
	} {
		t.Run(name, func(t *testing.T) {
			out := shell(t, "", "timeout", "20", "zsh", "-f", "-c", ask, "zsh", load)
			if !strings.Contains(out, "PROFILE") {
				t.Errorf("TAB does not complete:\n%s", out)
			}
		})
	}
}

func TestFish(t *testing.T) {
	shell(t, "", "bash", "-c", "docker-harden completion fish | fish --no-execute")
	for line, want := range map[string]string{
		"docker-harden pl":                           "plan",
		"docker-harden plan --format ":               "text json",
		"docker-harden explain docker/no-new-p":      "docker/no-new-privileges",
		"docker-harden plan --profile x --detailed-": "--detailed-exitcode",
		"docker-harden apply ho":                     "host.plan",
		"docker-harden profile sh":                   "show",
	} {
		out := shell(t, "", "fish", "--no-config", "-c", "docker-harden completion fish | source; complete -C '"+line+"'")
		var got []string
		for l := range strings.Lines(out) {
			name, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
			got = append(got, name)
		}
		wanted := strings.Fields(want)
		slices.Sort(wanted) // fish sorts
		if !slices.Equal(got, wanted) {
			t.Errorf("%q is completed to %q, want %q", line, got, wanted)
		}
	}
}
