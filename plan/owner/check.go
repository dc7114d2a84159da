package owner

import (
	"strconv"
	"time"
)

// check is how a container should be checked.
type check struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// words reports whether flags can say it: --health-cmd takes a line for a shell.
func (c *check) words() bool { return len(c.Test) == 2 && c.Test[0] == "CMD-SHELL" }

// flags are those of docker run and of docker service update, by name and value.
func (c *check) flags() [][2]string {
	if c == nil {
		return nil
	}
	out := [][2]string{{"--health-cmd", c.Test[1]}, {"--health-interval", c.Interval.String()}, {"--health-timeout", c.Timeout.String()}}
	if c.StartPeriod > 0 {
		out = append(out, [2]string{"--health-start-period", c.StartPeriod.String()})
	}
	return append(out, [2]string{"--health-retries", strconv.Itoa(c.Retries)})
}
