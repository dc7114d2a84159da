package daemon

import "testing"

func TestMessage(t *testing.T) {
	for text, want := range map[string]string{
		"": "no message",
		"Status: unknown flag: --x\nSee 'dockerd --help'., Code: 125\n":                                                                         "unknown flag: --x",
		"Status: unknown flag: --x\nSee 'dockerd --help'.\n\nUsage:\tdockerd [OPTIONS]\n\nOptions:\n  -b, --bridge string   ...\n, Code: 125\n": "unknown flag: --x",
		"time=\"x\" level=info\nunable to configure the Docker daemon with file /d: invalid character\nmore\n":                                  "unable to configure the Docker daemon with file /d: invalid character",
		"one\ntwo\n": "two",
	} {
		if got := (answer{text: text}).message(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
