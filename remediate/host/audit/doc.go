// Package audit performs the steps on the kernel's audit: it writes the one rules file that belongs to this tool, and
// loads its rules.
//
// Rules are added to the kernel one by one over netlink, and the kernel's list is read back. Loading all files anew
// (augenrules --load) would begin by deleting every rule, also those of others that stand in no file, and exits 0 when
// it fails. Undo takes out exactly what was added. There is no API promise before v1.
package audit
