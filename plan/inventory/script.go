package inventory

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxScript bounds a start script; the largest ones of well-known images have some 20 KiB.
const maxScript = 256 << 10

var (
	// fileEnv is a call of the function by which start scripts of many images take the value of a variable from a
	// file. Only a variable that the call names in clear is known: one in a loop is not.
	fileEnv = regexp.MustCompile(`(?:^|[\s;&|{(])[A-Za-z_]*file_env[ \t]+(?:'([A-Za-z_]\w*)'|"([A-Za-z_]\w*)"|([A-Za-z_]\w*))(?:[\s;&|})]|$)`)
	// fileEnvMade is where a script makes that function itself, and knows what it does.
	fileEnvMade = regexp.MustCompile(`(?m)^[ \t]*(?:function[ \t]+)?file_env[ \t]*\([ \t]*\)`)
	// readFile is a line that puts what a file holds into something: $(cat "$NAME_FILE"), $(< "$NAME_FILE").
	readFile = regexp.MustCompile(`(?:\$\(|` + "`" + `)[ \t]*(?:cat[ \t]+|<[ \t]*)"?\$\{?([A-Za-z_]\w*)_FILE\b`)
	// givesUpRoot is a line by which a script goes on as another user.
	givesUpRoot = regexp.MustCompile(`\bexec[ \t]+(?:\S*/)?(?:gosu|su-exec|setpriv|runuser|su|sudo|chpst|setuidgid|s6-setuidgid)[ \t]`)
	// comment is a line that does nothing.
	comment = regexp.MustCompile(`^[ \t]*#`)
)

// mariaTwin is how the script of MariaDB reads a second variable with each MYSQL_ one.
const mariaTwin = `"MARIADB_${var#MYSQL_}"`

// scriptReads are the variables whose value a shell script takes from the file that NAME_FILE names, sorted: those that
// it reads as the user that it starts as, and those that it reads below a line where it becomes another one. The
// order of lines stands for the order in which they run, because functions are defined before they are called.
func scriptReads(text string) (first, late []string) {
	if !strings.HasPrefix(text, "#!") || !strings.Contains(text, "_FILE") && !strings.Contains(text, "file_env") {
		return nil, nil
	}
	made, twins := fileEnvMade.MatchString(text), strings.Contains(text, mariaTwin)
	seen := map[string]bool{} // true: late
	dropped := false
	add := func(name string) {
		seen[name] = seen[name] || dropped // one that is read again below may find nothing there
	}
	for line := range strings.Lines(text) {
		if comment.MatchString(line) {
			continue
		}
		if m := fileEnv.FindStringSubmatch(line); m != nil && made {
			name := m[1] + m[2] + m[3]
			add(name)
			if rest, ok := strings.CutPrefix(name, "MYSQL_"); ok && twins {
				add("MARIADB_" + rest)
			}
		}
		for _, m := range readFile.FindAllStringSubmatch(line, -1) {
			add(m[1])
		}
		dropped = dropped || givesUpRoot.MatchString(line)
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if seen[name] {
			late = append(late, name)
		} else {
			first = append(first, name)
		}
	}
	return first, late
}

// script is the text of an open file if it may be a script, without leaving a trace of having been read.
func script(fd int, size int64) (string, error) {
	if size > maxScript {
		return "", nil
	}
	in, err := retry(func() (int, error) {
		return unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_NOATIME|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	})
	if err != nil {
		return "", err
	}
	defer unix.Close(in)
	const mark = 2 // bytes: #!
	text := make([]byte, size)
	n, err := retry(func() (int, error) { return unix.Pread(in, text[:min(mark, size)], 0) })
	if err != nil || string(text[:max(n, 0)]) != "#!" {
		return "", err
	}
	for n < len(text) {
		more, err := retry(func() (int, error) { return unix.Pread(in, text[n:], int64(n)) })
		if err != nil {
			return "", err
		}
		if more == 0 {
			return "", errors.New("it became shorter while it was read")
		}
		n += more
	}
	return string(text), nil
}

// reads fills in which variables an open executable takes from files.
func (e *Executable) reads(fd int, size int64) {
	text, err := script(fd, size)
	if err != nil {
		e.ScriptProblem = explain(err).Error()
		return
	}
	e.SecretFiles, e.LateSecretFiles = scriptReads(text)
}
