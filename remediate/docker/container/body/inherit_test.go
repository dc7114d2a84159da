package body

import (
	"strings"
	"testing"
)

// What the engine adds to a container that is brought back is no difference there, and is one
// everywhere else.
func TestInherited(t *testing.T) {
	src := fixture(t, "plain", "1.41")
	with := func(logs, limits string) Source {
		return edited(t, src, map[string]string{logConfig: logs, ulimits: limits})
	}
	const (
		plainLogs = `{"Type":"json-file","Config":{"tag":"x"}}`
		moreLogs  = `{"Type":"json-file","Config":{"tag":"x","max-size":"5m"}}`
		limit     = `[{"Name":"nproc","Hard":7,"Soft":7}]`
		more      = `[{"Name":"nofile","Hard":2,"Soft":1},{"Name":"nproc","Hard":7,"Soft":7}]`
	)
	before := with(plainLogs, limit)
	for name, c := range map[string]struct {
		after     Source
		same      bool // as a container that is brought back
		inherited string
	}{
		"nothing":              {before, true, ""},
		"log option":           {with(moreLogs, limit), true, "log option max-size"},
		"ulimit":               {with(plainLogs, more), true, "ulimit nofile"},
		"both":                 {with(moreLogs, more), true, "log option max-size, ulimit nofile"},
		"log option changed":   {with(`{"Type":"json-file","Config":{"tag":"y","max-size":"5m"}}`, limit), false, "log option max-size"},
		"log option lost":      {with(`{"Type":"json-file","Config":{}}`, limit), false, ""},
		"another driver":       {with(`{"Type":"local","Config":{"tag":"x"}}`, limit), false, ""},
		"ulimit changed":       {with(plainLogs, `[{"Name":"nproc","Hard":7,"Soft":6}]`), false, ""},
		"ulimit lost":          {with(plainLogs, "null"), false, ""},
		"something that is no": {with(`"x"`, `"y"`), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Diff(before.Container, c.after.Container, &Request{Inherits: true}, "1.41")
			if err != nil || (len(found) == 0) != c.same {
				t.Errorf("brought back: %v %v", found, err)
			}
			found, err = Diff(before.Container, c.after.Container, nil, "1.41")
			if err != nil || (len(found) == 0) != (name == "nothing") {
				t.Errorf("elsewhere: %v %v", found, err)
			}
			names, err := Inherited(before.Container, c.after.Container)
			if got := strings.Join(names, ", "); err != nil || got != c.inherited {
				t.Errorf("inherited %q %v, want %q", got, err, c.inherited)
			}
		})
	}
	if _, err := Inherited([]byte("["), before.Container); err == nil {
		t.Error("Inherited reads broken JSON")
	}
}
