package container

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Options are what both handlers need to know.
type Options struct {
	// Root is where the files and processes of the engine's host are found; "" for this machine.
	Root string
	// State is the directory in which this tool keeps what must last, as the engine sees it. Without it no value of
	// a variable becomes a file.
	State string
	// Stable is how long a new container must run without a restart before it is trusted. 0: 5 s.
	Stable time.Duration
	// HealthTimeout bounds the wait for a health check. 0: 5 minutes.
	HealthTimeout time.Duration
	// Refused, when set, says which capability the kernel refused a container, by name and id, that it needs.
	Refused func(name, id string) Refusal
	// TX names the transaction in temporary container names. nil: random.
	TX func() string
}

const (
	defaultStable        = 5 * time.Second
	defaultHealthTimeout = 5 * time.Minute
)

func (o Options) stable() time.Duration {
	if o.Stable == 0 {
		return defaultStable
	}
	return o.Stable
}

func (o Options) healthTimeout() time.Duration {
	if o.HealthTimeout == 0 {
		return defaultHealthTimeout
	}
	return o.HealthTimeout
}

// tx is at most twelve characters that may stand in a container's name.
func (o Options) tx() string {
	const most = 12
	if o.TX != nil {
		if id := o.TX(); id != "" {
			return id[:min(len(id), most)]
		}
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}
