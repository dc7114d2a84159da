package inventory

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// makesFileEnv is a function as start scripts of databases have it, in the tests' own words.
const makesFileEnv = `#!/bin/bash
# usage: file_env 'COMMENTED'
file_env() {
	local name="$1" from="${1}_FILE"
	if [ -n "${!from:-}" ]; then export "$name"="$(cat "${!from}")"; unset "$from"; fi
}
`

func TestScriptReads(t *testing.T) {
	for _, tt := range []struct{ name, text, first, late string }{
		{"no script", "file_env 'A'", "", ""},
		{"nothing of files", "#!/bin/sh\nexec server\n", "", ""},
		{"calls", makesFileEnv + "setup() {\n\tfile_env 'PG_PASSWORD'\n\tfile_env \"PG_USER\" 'admin'; file_env_other X\n\t  file_env PG_DB\n}\nexec gosu pg \"$0\" \"$@\"\n", "PG_DB PG_PASSWORD PG_USER", ""},
		{"after giving up root", makesFileEnv + "if [ \"$(id -u)\" = 0 ]; then\n\texec gosu db \"$BASH_SOURCE\" \"$@\"\nfi\nfile_env 'ROOT_PASSWORD'\n", "", "ROOT_PASSWORD"},
		{"before and after", makesFileEnv + "file_env 'A'\nfile_env 'B'\nexec /usr/sbin/su-exec db \"$0\"\nfile_env 'A'\n", "B", "A"},
		{"a program that only sounds so", makesFileEnv + "exec sudoku x\nexec mygosu x\nfile_env 'A'\n", "A", ""},
		{"the function comes from elsewhere", "#!/bin/sh\n. /lib/env.sh\nfile_env 'A'\n", "", ""},
		{"in a loop", makesFileEnv + "for v in A B; do file_env \"$v\"; done\n", "", ""},
		{"comments", makesFileEnv + "  # file_env 'A'\n# B=$(cat \"$B_FILE\")\n", "", ""},
		{"with a twin", makesFileEnv + "_maria_file_env() { file_env \"$1\"; file_env \"MARIADB_${var#MYSQL_}\"; }\n_maria_file_env 'MYSQL_ROOT_PASSWORD'\n", "MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD", ""},
		{"by its own means", "#!/bin/sh\n[ -f \"$A_FILE\" ] && A=$(cat \"$A_FILE\") B=\"$(< ${B_FILE})\"\nexport A C=`cat $C_FILE`\nexec server\n", "A B C", ""},
		{"only named", "#!/bin/sh\necho \"$A_FILE\" B_FILE $(cat C_FILE) $(cat \"$D_FILES\")\nunset A_FILE\n", "", ""},
	} {
		first, late := scriptReads(tt.text)
		if got := strings.Join(first, " "); got != tt.first {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.first)
		}
		if got := strings.Join(late, " "); got != tt.late {
			t.Errorf("%s: late %q, want %q", tt.name, got, tt.late)
		}
	}
}

// TestEntryScript reads a script where a container has it, and nothing else.
func TestEntryScript(t *testing.T) {
	r := container100(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(r.root.join("/c/bin/"+name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(r.root.join("/c/bin/"+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := makesFileEnv + "file_env 'A'\nexec gosu x\nfile_env 'B'\n"
	write("start", script)
	write("program", "\x7fELF"+script)
	write("long", script+strings.Repeat("#\n", maxScript/2))
	write("short", "#")
	for name, want := range map[string][2][]string{"start": {{"A"}, {"B"}}, "program": {}, "long": {}, "short": {}} {
		before, err := os.Stat(r.root.join("/c/bin/" + name))
		if err != nil {
			t.Fatal(err)
		}
		e := r.entry(100, &Inspect{Path: "tini", Args: []string{"--", name, "serve"}}, "/bin")
		if !slices.Equal(e.SecretFiles, want[0]) || !slices.Equal(e.LateSecretFiles, want[1]) || e.ScriptProblem+e.Problem != "" {
			t.Errorf("%s: %+v", name, e)
		}
		if after, err := os.Stat(r.root.join("/c/bin/" + name)); err != nil || accessed(after) != accessed(before) {
			t.Errorf("%s: looking at it left a trace: %v", name, err)
		}
	}
}

// accessed is when a file was read last, in nanoseconds.
func accessed(info os.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Atim.Nano() }

// FuzzScriptReads looks at any text: what it names can be moved, and nothing is both.
func FuzzScriptReads(f *testing.F) {
	f.Add(makesFileEnv + "file_env 'A'\nexec gosu x\nB=$(cat $B_FILE)")
	f.Fuzz(func(t *testing.T, text string) {
		first, late := scriptReads(text)
		for _, name := range first {
			if slices.Contains(late, name) || !strings.Contains(text, name) && !strings.HasPrefix(name, "MARIADB_") {
				t.Errorf("%q: %q", text, name)
			}
		}
	})
}
