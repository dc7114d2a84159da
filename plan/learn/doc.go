// Package learn makes evidence of what was counted and read while containers worked. It decides what of it is a
// container's own work, and names things; it watches nothing itself and changes nothing.
package learn
