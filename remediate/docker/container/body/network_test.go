package body

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"docker-harden/plan"
)

// onNetworks is a source that is on the given networks and names mode as its own.
func onNetworks(t *testing.T, mode, networks string) Source {
	t.Helper()
	src := edited(t, fixture(t, "plain", "1.41"), map[string]string{
		"HostConfig.NetworkMode": mode, "NetworkSettings.Networks": networks,
	})
	src.Networks = map[string]string{}
	return src
}

// A container that is recreated while it leaves the default bridge is made on the other network, and names it.
func TestBuildMove(t *testing.T) {
	const alone, beside = `{"bridge":{}}`, `{"back":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}},"bridge":{}}`
	for name, tt := range map[string]struct {
		mode, networks, from, to string
		asks, create, connect    string
	}{
		"alone":         {`"default"`, alone, `["bridge"]`, `["shop"]`, `"shop"`, `{"shop":{}}`, ""},
		"by its name":   {`"bridge"`, alone, `["bridge"]`, `["shop"]`, `"shop"`, `{"shop":{}}`, ""},
		"beside":        {`"default"`, beside, `["back","bridge"]`, `["back","shop"]`, `"shop"`, `{"shop":{}}`, "back"},
		"there already": {`"default"`, beside, `["back","bridge"]`, `["back"]`, `"back"`, `{"back":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}`, ""},
		"connected to the bridge later": {
			`"back"`, beside, `["back","bridge"]`, `["back","shop"]`, `"back"`, `{"back":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}`, "shop",
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := onNetworks(t, tt.mode, tt.networks)
			r, err := Build(src, []plan.Change{change(plan.NetworksPath, tt.from, tt.to)})
			if err != nil {
				t.Fatal(err)
			}
			var connect []string
			for _, end := range r.Connect {
				connect = append(connect, end.Network)
			}
			if got := sent(t, r, "HostConfig.NetworkMode"); got != tt.asks {
				t.Errorf("NetworkMode %s", got)
			}
			if got := sent(t, r, "NetworkingConfig.EndpointsConfig"); got != tt.create || strings.Join(connect, " ") != tt.connect {
				t.Errorf("made on %s, then connected to %v", got, connect)
			}
			for networks, same := range map[string]bool{
				`{"shop":{},"back":{},"bridge":{}}`: false, tt.networks: false,
				"{" + strings.ReplaceAll(strings.Trim(tt.to, "[]"), `,`, `:{},`) + ":{}}": true,
			} {
				now := edited(t, src, map[string]string{"HostConfig.NetworkMode": tt.asks, "NetworkSettings.Networks": networks})
				diff, err := Diff(src.Container, now.Container, r, "1.41")
				moved := slices.ContainsFunc(diff, func(d Difference) bool { return d.Path == plan.NetworksPath })
				if err != nil || moved == same {
					t.Errorf("on %s: %v %v", networks, diff, err)
				}
			}
		})
	}
}

func TestBuildMoveRefuses(t *testing.T) {
	src := onNetworks(t, `"default"`, `{"back":{},"bridge":{}}`)
	for _, tt := range []struct {
		from, to string
		stale    bool
	}{
		{`["bridge"]`, `["shop"]`, true},
		{`["back","bridge"]`, `["back","host"]`, false},
		{`["back","bridge"]`, `["back","none"]`, false},
		{`["back","bridge"]`, `["back","container:x"]`, false},
		{`["back","bridge"]`, `["back","bridge","shop"]`, false},
		{`["back","bridge"]`, `["shop"]`, false},
		{`["back","bridge"]`, `["a","back","shop"]`, false},
		{`["back","bridge"]`, `[]`, false},
		{`["back","bridge"]`, `"shop"`, false},
		{`7`, `["shop"]`, false},
	} {
		_, err := Build(src, []plan.Change{change(plan.NetworksPath, tt.from, tt.to)})
		if err == nil || errors.Is(err, ErrStale) != tt.stale {
			t.Errorf("%s to %s: %v", tt.from, tt.to, err)
		}
	}
}
