package membership

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"docker-harden/plan/inventory"
	"docker-harden/remediate/internal/atomic"
)

const (
	// shadowFile holds passwords and members of groups: gshadow(5).
	shadowFile = "/etc/gshadow"
	// largest bounds what is read of a file.
	largest = 4 << 20
)

// entry is a group's entry in a file of groups.
type entry struct {
	file    []byte // the whole
	at      int    // where the members begin
	members string // as they stand there
	gid     string // gshadow(5) has the administrators there
}

// errNone: the file is not there.
var errNone = errors.New("it does not exist")

// find reads the one entry of a group.
func find(path, group string) (entry, error) {
	data, err := atomic.ReadFile(path, largest)
	if errors.Is(err, fs.ErrNotExist) {
		return entry{at: -1}, errNone
	}
	if err != nil {
		return entry{}, err
	}
	found := entry{file: data, at: -1}
	begin := 0
	for line := range bytes.Lines(data) {
		text := strings.TrimRight(string(line), "\n")
		fields := strings.Split(text, ":")
		if fields[0] == group {
			if len(fields) != 4 || found.at >= 0 {
				return entry{}, fmt.Errorf("cannot read %s: group %s has no entry of four fields, or more than one", path, group)
			}
			found.at, found.members, found.gid = begin+len(text)-len(fields[3]), fields[3], fields[2]
		}
		begin += len(line)
	}
	return found, nil
}

// exists reports whether the group has an entry.
func (e entry) exists() bool { return e.at >= 0 }

func (e entry) names() []string { return slices.Concat([]string{}, inventory.ListedIn(e.members)) }

// with is the file with other members.
func (e entry) with(members string) []byte {
	return slices.Concat(e.file[:e.at], []byte(members), e.file[e.at+len(e.members):])
}

// without is a list of members without some.
func without(members string, users []string) string {
	return strings.Join(slices.DeleteFunc(inventory.ListedIn(members), func(u string) bool { return slices.Contains(users, u) }), ",")
}
