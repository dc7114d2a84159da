package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// splitWords splits a value of a unit file at white space as systemd does: quotes hold words
// together and are removed, backslash escapes are those of C.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			size, err := unescape(text[i+1:], &word)
			if err != nil {
				return nil, err
			}
			i, inWord = i+size, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// unescape writes what the escape sequence behind a backslash stands for and returns its length.
func unescape(text string, word *strings.Builder) (int, error) {
	if text == "" {
		return 0, errors.New("a backslash ends the line")
	}
	single := map[byte]byte{
		'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', 's': ' ',
		'\\': '\\', '"': '"', '\'': '\'',
	}
	if c, ok := single[text[0]]; ok {
		word.WriteByte(c)
		return 1, nil
	}
	digits, base, skip := 0, 0, 1
	switch text[0] {
	case 'x':
		digits, base = 2, 16
	case 'u':
		digits, base = 4, 16
	case 'U':
		digits, base = 8, 16
	case '0', '1', '2', '3':
		digits, base, skip = 3, 8, 0
	}
	if digits == 0 || len(text) < skip+digits {
		return 0, fmt.Errorf(`unknown escape sequence \%c`, text[0])
	}
	n, err := strconv.ParseUint(text[skip:skip+digits], base, 32)
	if err != nil {
		return 0, fmt.Errorf(`unknown escape sequence \%s`, text[:skip+digits])
	}
	if digits < 4 {
		word.WriteByte(byte(n))
	} else {
		word.WriteRune(rune(n))
	}
	return skip + digits, nil
}

// expandWords replaces variables in a command line as systemd does: a word $NAME becomes the words
// of the value (none if unset), ${NAME} inside a word its value unsplit, $$ a dollar sign.
func expandWords(words []string, env map[string]string) ([]string, error) {
	var out []string
	for i, word := range words {
		name, whole := strings.CutPrefix(word, "$")
		if i == 0 || !whole || name == "" || name[0] == '{' || name[0] == '$' {
			out = append(out, expandBraces(word, env))
			continue
		}
		more, err := splitWords(env[name])
		if err != nil {
			return nil, fmt.Errorf("cannot split $%s: %w", name, err)
		}
		out = append(out, more...)
	}
	return out, nil
}

func expandBraces(word string, env map[string]string) string {
	var out strings.Builder
	for word != "" {
		before, after, found := strings.Cut(word, "$")
		out.WriteString(before)
		if !found {
			break
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			word = after[1:]
		case strings.HasPrefix(after, "{") && closed:
			out.WriteString(env[name])
			word = rest
		default:
			out.WriteByte('$')
			word = after
		}
	}
	return out.String()
}

// environment is what Environment= and EnvironmentFile= set; files count more.
func (s *service) environment() (map[string]string, error) {
	env := map[string]string{}
	for _, line := range s.inline {
		words, err := splitWords(line)
		if err != nil {
			return nil, fmt.Errorf("in Environment: %w", err)
		}
		for _, word := range words {
			if word, err = s.specifiers(word); err != nil {
				return nil, fmt.Errorf("in Environment: %w", err)
			}
			if name, value, ok := strings.Cut(word, "="); ok {
				env[name] = value
			}
		}
	}
	for _, name := range s.envFiles {
		if err := s.environmentFile(name, env); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// environmentFile adds the assignments of one EnvironmentFile= setting, which may be a pattern and,
// behind "-", missing.
func (s *service) environmentFile(setting string, env map[string]string) error {
	name, optional := strings.CutPrefix(setting, "-")
	name, err := s.specifiers(name)
	if err != nil {
		return err
	}
	files := []string{name}
	if strings.ContainsAny(name, "*?[") {
		if files, err = s.glob(name); err != nil {
			return err
		}
	}
	for _, file := range files {
		data, err := s.root.readFile(file, maxUnit)
		if optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, cause(err))
		}
		parseEnvironment(string(data), env)
	}
	return nil
}

// glob lists the files that match a pattern in the last element of its path.
func (s *service) glob(pattern string) ([]string, error) {
	dir, _, err := s.root.resolve(path.Dir(pattern))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.root.join(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, cause(err))
	}
	var files []string
	for _, entry := range entries {
		ok, err := path.Match(path.Base(pattern), entry.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		if ok {
			files = append(files, path.Join(dir, entry.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}

// parseEnvironment reads NAME=VALUE lines: comments start with # or ;, a backslash at the end
// continues the line, quotes around the value hold it together and may span lines.
func parseEnvironment(text string, env map[string]string) {
	for text != "" {
		var line string
		line, text = environmentLine(text)
		line = strings.TrimLeft(line, " \t")
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		env[strings.TrimSpace(name)] = unquoteValue(value)
	}
}

// environmentLine cuts one logical line off a text.
func environmentLine(text string) (line, rest string) {
	comment := strings.HasPrefix(strings.TrimLeft(text, " \t"), "#") || strings.HasPrefix(strings.TrimLeft(text, " \t"), ";")
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case !comment && c == '\\' && quote != '\'' && i+1 < len(text):
			if i++; text[i] != '\n' {
				out.WriteByte(c)
				out.WriteByte(text[i])
			}
			continue
		case comment:
		case quote == c:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		}
		if c == '\n' && quote == 0 {
			return out.String(), text[i+1:]
		}
		out.WriteByte(c)
	}
	return out.String(), ""
}

// unquoteValue removes quotes and escapes from a value. White space around it does not count.
func unquoteValue(value string) string {
	value = strings.TrimSpace(value)
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(value):
			next := value[i+1]
			if quote == '"' && !strings.ContainsRune("\"\\`$", rune(next)) {
				out.WriteByte(c)
			}
			out.WriteByte(next)
			i++
		case quote == c:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
