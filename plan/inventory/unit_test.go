package inventory

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const debianUnit = `[Unit]
Description=Docker Application Container Engine

[Service]
Type=notify
# a comment
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID

[Install]
WantedBy=multi-user.target
`

func TestNextArgv(t *testing.T) {
	const debian = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string // words joined by " | "
		err   string
	}{
		{name: "debian", files: map[string]string{"/lib/systemd/system/docker.service": debianUnit}, want: debian},
		{
			name: "environment file", files: map[string]string{
				"/lib/systemd/system/docker.service": debianUnit,
				"/etc/default/docker":                "# options\nDOCKER_OPTS=\"--log-level=warn --label 'a b=c'\"\n",
			}, want: debian + " --log-level=warn --label a␣b=c",
		},
		{
			name: "unit in /etc wins over the one in /lib", files: map[string]string{
				"/lib/systemd/system/docker.service": debianUnit,
				"/etc/systemd/system/docker.service": "[Service]\nExecStart=/opt/dockerd --debug\n",
			}, want: "/opt/dockerd --debug",
		},
		{
			name: "linked unit", files: map[string]string{
				"/etc/systemd/system/docker.service": "-> /opt/units/d.service",
				"/opt/units/d.service":               "[Service]\nExecStart=/opt/dockerd\n",
			}, want: "/opt/dockerd",
		},
		{
			name: "drop-ins in order of their names, reset", files: map[string]string{
				"/lib/systemd/system/docker.service":             debianUnit,
				"/etc/systemd/system/docker.service.d/20.conf":   "[Service]\nEnvironment=DOCKER_OPTS=--icc=false\n",
				"/run/systemd/system/docker.service.d/10.conf":   "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  $DOCKER_OPTS --live-restore\n",
				"/etc/systemd/system/docker.service.d/ignored":   "[Service]\nExecStart=/bin/false\n",
				"/usr/lib/systemd/system/docker.service.d/0.md":  "no unit",
				"/usr/lib/systemd/system/service.d/05-all.conf":  "[Service]\nEnvironment=DOCKER_OPTS=--debug\n",
				"/etc/systemd/system/docker.service.d/00-x.conf": "[Unit]\nDescription=x\n",
			}, want: "/usr/bin/dockerd --icc=false --live-restore",
		},
		{
			name: "drop-in in /etc hides the one of the same name in /run", files: map[string]string{
				"/lib/systemd/system/docker.service":           debianUnit,
				"/etc/systemd/system/docker.service.d/10.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --debug\n",
				"/run/systemd/system/docker.service.d/10.conf": "[Service]\nExecStart=\nExecStart=/bin/false\n",
			}, want: "/usr/bin/dockerd --debug",
		},
		{
			name: "file counts more than Environment, empty EnvironmentFile resets", files: map[string]string{
				"/lib/systemd/system/docker.service": "[Service]\nEnvironmentFile=/no/such/file\nEnvironmentFile=\nEnvironmentFile=/etc/d/*.env\nEnvironment=\"A=1 2\" B=3\nExecStart=/usr/bin/dockerd --label=${A} --label=$B ${B} $UNSET $A\n",
				"/etc/d/1.env":                       "B=4\n", "/etc/d/2.env": "B=5\n",
			}, want: "/usr/bin/dockerd --label=1␣2 --label=$B 5 1 2",
		},
		{name: "no expansion", files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=-:/usr/bin/dockerd $X $$\n"}, want: "/usr/bin/dockerd $X $$"},
		{name: "other name", files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=@/usr/bin/dockerd moby --label=$$x --data-root=/srv/%N-%%\n"}, want: "/usr/bin/dockerd --label=$x --data-root=/srv/docker-%"},
		{name: "no unit", err: "cannot read unit docker.service: no such unit file"},
		{name: "masked", files: map[string]string{"/etc/systemd/system/docker.service": "-> /dev/null", "/dev/null": ""}, err: "cannot read ExecStart of unit docker.service: it is not set"},
		{name: "missing environment file", files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nEnvironmentFile=/etc/none\nExecStart=/x\n"}, err: "/etc/none: no such file or directory"},
		{name: "unknown specifier", files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=/x --label=%m\n"}, err: "cannot expand %m"},
		{name: "open quote", files: map[string]string{"/lib/systemd/system/docker.service": "[Service]\nExecStart=/x \"--label\n"}, err: "a quote is not closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tree(t, tc.files).nextArgv("docker.service")
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(tc.want)
			for i, w := range want {
				want[i] = strings.ReplaceAll(w, "␣", " ")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNextArgvUnreadableDirectory(t *testing.T) {
	root := tree(t, map[string]string{"/lib/systemd/system/docker.service": debianUnit, "/etc/systemd/system/docker.service.d": "a file"})
	if _, err := root.nextArgv("docker.service"); err == nil {
		t.Error("drop-ins that cannot be listed went unnoticed")
	}
	if err := os.Remove(root.join("/etc/systemd/system/docker.service.d")); err != nil {
		t.Fatal(err)
	}
	if _, err := root.nextArgv("docker.service"); err != nil {
		t.Error(err)
	}
}

func TestSplitWords(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
		err  bool
	}{
		{`a  b	c`, []string{"a", "b", "c"}, false},
		{`"a b"'c d' e`, []string{"a bc d", "e"}, false},
		{`""`, []string{""}, false},
		{`a\ b`, nil, true},
		{`a\sb \x41\u00e4\101`, []string{"a b", "AäA"}, false},
		{`"a\"b" 'c\'d'`, []string{`a"b`, "c'd"}, false},
		{`a\`, nil, true},
		{`\x4`, nil, true},
		{`\q`, nil, true},
		{`'a`, nil, true},
		{"", nil, false},
	} {
		got, err := splitWords(tc.text)
		if (err != nil) != tc.err || !slices.Equal(got, tc.want) {
			t.Errorf("splitWords(%s) = %q, %v, want %q", tc.text, got, err, tc.want)
		}
	}
}

func TestParseEnvironment(t *testing.T) {
	env := map[string]string{}
	parseEnvironment(`# comment with a ' quote
; another
A=1
 B = two words 
C="quoted # no comment" 
D='single $x \n'
E=line \
continued
F="two
lines"
G="a\"b\$c\d"
H=x\"y
no assignment
I=
#J=1 \
K=2
L=last`, env)
	want := map[string]string{
		"A": "1", "B": "two words", "C": "quoted # no comment", "D": `single $x \n`, "E": "line continued",
		"F": "two\nlines", "G": `a"b$c\d`, "H": `x"y`, "I": "", "K": "2", "L": "last",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
