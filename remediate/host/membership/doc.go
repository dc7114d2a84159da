// Package membership changes who is in a group of the host, in /etc/group and, where the host has it, /etc/gshadow.
//
// Invariants:
//   - Of a file nothing changes but the list of members in the one entry of the group.
//   - Passwords of groups, which /etc/gshadow holds beside the members, go neither into the journal nor into a message.
//   - Files are written under the lock that gpasswd, usermod and useradd take (lckpwdf(3)), each whole or not at all.
//   - Undo turns back what is as the step left it. What others changed since is theirs.
package membership
