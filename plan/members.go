package plan

import "strings"

// MembersPath is the path of a change of who is in a group of the host (group(5)). Its values are lists of users, in
// the order of /etc/group; those whose own group it is (passwd(5)) are not among them.
func MembersPath(group string) string { return "Members[" + group + "]" }

// MembersOf reads what [MembersPath] wrote.
func MembersOf(path string) (group string, ok bool) {
	group, ok = strings.CutPrefix(path, "Members[")
	if !ok || !strings.HasSuffix(group, "]") {
		return "", false
	}
	group = strings.TrimSuffix(group, "]")
	return group, group != ""
}
