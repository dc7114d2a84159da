package leak

import "testing"

type tests func() int

func (f tests) Run() int { return f() }

func TestChecked(t *testing.T) {
	stop := make(chan struct{})
	for name, test := range map[string]struct {
		run  tests
		want int
	}{
		"clean":            {func() int { return 0 }, 0},
		"failed":           {func() int { return 2 }, 2},
		"left one running": {func() int { go func() { <-stop }(); return 0 }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Checked(test.run).Run(); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
		if test.want == 1 {
			close(stop)
		}
	}
}
