// Package swarm changes settings of the swarm that this host is a manager of, through the engine's API: whether
// managers are locked when they start, and for how long certificates of nodes are valid.
//
// Invariants:
//   - A specification is sent back with the version in which it was read: what somebody else set meanwhile is never
//     overwritten, and of the specification nothing changes but what the step names.
//   - The unlock key goes into one file that the step made, for root alone, and nowhere else: neither into the journal
//     nor into a message.
//   - Undo turns back what is as the step left it. What others changed since is theirs.
package swarm
