package inventory

import (
	"strings"
	"testing"
)

func TestIgnoredKeys(t *testing.T) {
	for doc, want := range map[string]string{
		`{}`: "",
		`{"icc":false,"log-opts":{"max-size":"1m"},"runtimes":{},"default-ulimits":{},"features":{},"proxies":{}}`: "",
		`{"insecure-registry":["a"],"authorization-plugin":["opa"]}`:                                               `"authorization-plugin" and ignores it; "authorization-plugins" was meant` + "\n" + `"insecure-registry" and ignores it; "insecure-registries" was meant`,
		`{"foo":{}}`: `"foo" and ignores it with all that is in it`,
		`{"foo": {"log-level":"warn"}, "debug": true}`: `"foo" and ignores it with all that is in it`,
		`{"foo": [1], "bar": null}`:                    "", // the engine refuses such a key itself
	} {
		keys, problem := parseConfig([]byte(doc))
		if problem != "" {
			t.Fatal(problem)
		}
		got := ignoredKeys(keys)
		var lines []string
		if want != "" {
			lines = strings.Split(want, "\n")
		}
		if len(got) != len(lines) {
			t.Errorf("%s: %q, want %q", doc, got, lines)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], lines[i]) {
				t.Errorf("%s: %q, want %q", doc, got[i], lines[i])
			}
		}
	}
}

func TestLinkToNowhere(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"file missing":              {map[string]string{"/etc/docker/": ""}, ""},
		"directory missing":         {nil, ""},
		"directory behind a link":   {map[string]string{"/etc/docker": "-> /srv/docker", "/srv/docker/": ""}, ""},
		"link to a file":            {map[string]string{"/etc/docker/daemon.json": "-> /srv/d.json", "/srv/d.json": "{}"}, ""},
		"link to nowhere":           {map[string]string{"/etc/docker/daemon.json": "-> /srv/d.json"}, "it is a link to /srv/d.json, which does not exist"},
		"links to nowhere":          {map[string]string{"/etc/docker/daemon.json": "-> two", "/etc/docker/two": "-> /three"}, "it is a link to /three, which does not exist"},
		"link to nowhere, below it": {map[string]string{"/etc/docker": "-> /srv/docker", "/srv/docker/daemon.json": "-> gone"}, "it is a link to /srv/docker/gone"},
	} {
		t.Run(name, func(t *testing.T) {
			root, engine, table := engineAt(t, "init", "0::/\n", "dockerd", tc.files)
			d := &daemonReader{root: root}
			got := d.read(engine, table)
			if (got.ParseError != "") != (tc.want != "") || !strings.Contains(got.ParseError, tc.want) {
				t.Errorf("%q, want %q", got.ParseError, tc.want)
			}
			for _, p := range d.problems {
				if p.Fatal {
					t.Errorf("it keeps the plan from being applied: %+v", p)
				}
			}
		})
	}
}
