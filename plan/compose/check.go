package compose

import (
	"slices"
	"time"

	"github.com/goccy/go-yaml"
)

// check is how a service is checked. What is not written here the image says, or the engine.
func (w *serviceWriter) check(c change) {
	var from, to struct {
		Test                           []string
		Interval, Timeout, StartPeriod time.Duration
		Retries                        int
	}
	if unmarshal(c.from, &from) != nil || unmarshal(c.to, &to) != nil || len(to.Test) == 0 {
		w.leave("healthcheck", "it has a form that is not known")
		return
	}
	test := make([]string, len(to.Test))
	for i, word := range to.Test {
		test[i] = literal(word)
	}
	fields := yaml.MapSlice{{Key: "test", Value: test}}
	for _, one := range []struct {
		key   string
		value time.Duration
	}{{"interval", to.Interval}, {"timeout", to.Timeout}, {"start_period", to.StartPeriod}} {
		if one.value > 0 {
			fields = append(fields, yaml.MapItem{Key: one.key, Value: one.value.String()})
		}
	}
	if to.Retries > 0 {
		fields = append(fields, yaml.MapItem{Key: "retries", Value: to.Retries})
	}
	switch off := slices.Equal(from.Test, []string{"NONE"}); { // by disable: true, maybe, which would stay
	case off && w.old:
		w.leave("healthcheck", "docker-compose 1.x refuses a test beside disable; take that out of the project's file if it is there")
	case off:
		fields = append(fields, yaml.MapItem{Key: "disable", Value: false})
	}
	w.set("healthcheck", fields)
}
