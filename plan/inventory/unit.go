package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// unitPath is where systemd looks for units of the system manager, highest precedence first.
var unitPath = []string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
	"/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached",
	"/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
	"/run/systemd/generator.late",
}

// maxUnit bounds one unit or environment file.
const maxUnit = 1 << 20

// service is what the unit files say of a service's command line, or of a socket.
type service struct {
	root     hostRoot
	unit     string
	exec     string   // the last ExecStart in force
	inline   []string // Environment assignments, in order
	envFiles []string // EnvironmentFile paths as written, in order
	listen   []string // ListenStream of a socket, in order
	socket   map[string]string
	// socketFrom is, by setting of a socket, the file that said so last.
	socketFrom map[string]string
	found      bool
}

// nextArgv is the command line with which systemd will start a unit next, read from the files on
// disk: the unit, its drop-ins and its environment files. An edited unit that systemd has not
// loaded yet (daemon-reload) counts as edited.
func (r hostRoot) nextArgv(name string) ([]string, error) {
	s := &service{root: r, unit: name}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("cannot read unit %s: %w", name, err)
	}
	env, err := s.environment()
	if err != nil {
		return nil, fmt.Errorf("cannot read the environment of unit %s: %w", name, err)
	}
	argv, err := s.commandLine(env)
	if err != nil {
		return nil, fmt.Errorf("cannot read ExecStart of unit %s: %w", name, err)
	}
	return argv, nil
}

// load reads the unit file and then its drop-ins in the order of their names.
func (s *service) load() error {
	for _, dir := range unitPath {
		data, err := s.root.readFile(path.Join(dir, s.unit), maxUnit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(dir, s.unit), cause(err))
		}
		if err := s.merge(path.Join(dir, s.unit), data); err != nil {
			return err
		}
		s.found = true
		break
	}
	if !s.found {
		return errors.New("no such unit file")
	}
	dropIns, err := s.dropIns()
	if err != nil {
		return err
	}
	for _, name := range dropIns {
		data, err := s.root.readFile(name, maxUnit)
		if err != nil {
			return fmt.Errorf("%s: %w", name, cause(err))
		}
		if err := s.merge(name, data); err != nil {
			return err
		}
	}
	return nil
}

// dropIns lists the drop-in files in force. Of two files of the same name the first in unitPath
// counts, and those of the unit itself before those of all units of its kind.
func (s *service) dropIns() ([]string, error) {
	byName := map[string]string{}
	for _, suffix := range []string{s.unit + ".d", strings.TrimPrefix(path.Ext(s.unit), ".") + ".d"} {
		for _, dir := range unitPath {
			real, _, err := s.root.resolve(path.Join(dir, suffix))
			if err != nil {
				return nil, err
			}
			entries, err := os.ReadDir(s.root.join(real))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", real, cause(err))
			}
			for _, entry := range entries {
				name := entry.Name()
				if _, taken := byName[name]; !taken && strings.HasSuffix(name, ".conf") {
					byName[name] = path.Join(real, name)
				}
			}
		}
	}
	var names []string
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = byName[name]
	}
	return names, nil
}

// merge adds one file's settings; an empty assignment forgets the earlier ones.
func (s *service) merge(name string, data []byte) error {
	options, err := unit.DeserializeOptions(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, option := range options {
		value := strings.TrimSpace(strings.ReplaceAll(option.Value, "\\\n", " ")) // continued lines
		switch option.Section + "." + option.Name {
		case "Service.ExecStart":
			s.exec = value
		case "Service.Environment":
			s.inline = addOrReset(s.inline, value)
		case "Service.EnvironmentFile":
			s.envFiles = addOrReset(s.envFiles, value)
		case "Socket.ListenStream":
			s.listen = addOrReset(s.listen, value)
		case "Socket.SocketMode", "Socket.SocketUser", "Socket.SocketGroup":
			if s.socket == nil {
				s.socket, s.socketFrom = map[string]string{}, map[string]string{}
			}
			s.socketFrom[option.Name] = name
			s.socket[option.Name] = value
		}
	}
	return nil
}

func addOrReset(list []string, value string) []string {
	if value == "" {
		return nil
	}
	return append(list, value)
}

// commandLine splits and expands ExecStart.
func (s *service) commandLine(env map[string]string) ([]string, error) {
	if s.exec == "" {
		return nil, errors.New("it is not set")
	}
	text := s.exec
	prefixes := text[:len(text)-len(strings.TrimLeft(text, "@-:+!|"))]
	words, err := splitWords(text[len(prefixes):])
	if err != nil {
		return nil, err
	}
	for i, word := range words {
		if words[i], err = s.specifiers(word); err != nil {
			return nil, err
		}
	}
	if strings.Contains(prefixes, "@") && len(words) > 1 {
		words = slices.Delete(words, 1, 2) // the name under which the program is started
	}
	if strings.Contains(prefixes, ":") {
		return words, nil
	}
	return expandWords(words, env)
}

// specifiers replaces %n and its like. Those that only systemd itself can know are an error.
func (s *service) specifiers(text string) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	stem, _, _ := strings.Cut(s.unit, ".")
	prefix, instance, _ := strings.Cut(stem, "@")
	values := map[byte]string{
		'%': "%", 'n': s.unit, 'N': stem, 'p': prefix, 'i': instance, 't': "/run", 'S': "/var/lib",
		'C': "/var/cache", 'L': "/var/log", 'E': "/etc", 'h': "/root", 'u': "root", 'U': "0",
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		value, known := values[text[i]]
		if !known {
			return "", fmt.Errorf("cannot expand %%%c", text[i])
		}
		out.WriteString(value)
	}
	return out.String(), nil
}
