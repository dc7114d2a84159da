package inventory

import "time"

// Options say where and how a host is observed.
type Options struct {
	Root, Endpoint string
	Samples        int
	Interval       time.Duration
	Effective      func(path, sha256 string, pid int, started time.Time) bool
}
