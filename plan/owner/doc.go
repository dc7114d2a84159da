// Package owner says what has to be done about containers that something else makes again: a
// command, or a part of a file, in the words of Swarm, Kubernetes, systemd and other tools. It reads
// an inventory and changes nothing. There is no API promise before v1.
package owner
