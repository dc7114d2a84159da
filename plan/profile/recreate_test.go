package profile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docker-harden/plan"
)

func TestRecreateOf(t *testing.T) {
	const on = "controls: {docker/icc: {}}\n"
	for name, c := range map[string]struct {
		text string
		want map[string]string // by container
	}{
		"nothing said": {on, map[string]string{"web": plan.LayerCarry}},
		"empty":        {on + "recreate:\n", map[string]string{"web": plan.LayerCarry}},
		"refuse":       {on + "recreate: {writable_layer: refuse}\n", map[string]string{"web": plan.LayerRefuse}},
		"override": {
			on + "recreate: {writable_layer: refuse}\ncontainers:\n- match: \"shop-*\"\n  recreate: {writable_layer: carry}\n- match: shop-db\n  recreate: {writable_layer: refuse}\n",
			map[string]string{"web": plan.LayerRefuse, "shop-web": plan.LayerCarry, "shop-db": plan.LayerRefuse},
		},
		"override of controls alone": {
			on + "recreate: {writable_layer: refuse}\ncontainers:\n- match: web\n  controls: {docker/icc: off}\n",
			map[string]string{"web": plan.LayerRefuse},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Load([]byte(header(c.text)), "t.yaml", testCatalog())
			if err != nil {
				t.Fatal(err)
			}
			for container, want := range c.want {
				if got := p.RecreateOf(container).WritableLayer; got != want {
					t.Errorf("%s: %s, want %s", container, got, want)
				}
			}
		})
	}
}

// What is extended holds, unless the file says otherwise; init writes what holds.
func TestRecreateIsExtended(t *testing.T) {
	dir := t.TempDir()
	parent := header("controls: {docker/icc: {}}\nrecreate: {writable_layer: refuse}\n")
	if err := os.WriteFile(filepath.Join(dir, "strict.yaml"), []byte(parent), 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"": plan.LayerRefuse, "recreate:\n": plan.LayerRefuse, "recreate: {writable_layer: carry}\n": plan.LayerCarry} {
		p, err := Load([]byte(header("extends: strict\n"+text)), filepath.Join(dir, "t.yaml"), testCatalog())
		if err != nil {
			t.Fatal(err)
		}
		if got := p.RecreateOf("web").WritableLayer; got != want {
			t.Errorf("%q over refuse: %s, want %s", text, got, want)
		}
	}
	var out bytes.Buffer
	if err := initFrom(&out, "strict", dir, []ControlDoc{{ID: "docker/icc", Title: "x"}}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "\nrecreate:\n# writable_layer: refuse\n") {
		t.Errorf("init writes\n%s", text)
	}
}
