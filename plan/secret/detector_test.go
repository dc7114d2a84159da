package secret

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// The values look like credentials and belong to nobody. They are put together here so that no scanner of this
// repository takes them for real.
const (
	awsKey    = "AKIA" + "Q3EGR7ZJ5XN2KDMP"
	githubPAT = "ghp_" + "x7Kq2mVb9ZtR4wLc8NpY1sHd6JfG3aEuQ5oT"
	slackBot  = "xoxb-" + "317398572941-9471205836271-Zk3Qm8Xr2Vt7Lp5Ws1Nc9Hb4"
)

func TestValue(t *testing.T) {
	for _, c := range []struct{ name, value, rule string }{
		{"DB_PASSWORD", "hunter2", RuleName},
		{"db.password", "x", RuleName},
		{"TOKEN", "abc", RuleName},
		{"SIGNING_KEY", "abc", RuleName},
		{"apiKey", "abc", RuleName},
		{"MYSQL_PWD", "abc", RuleName},
		{"GITHUB_TOKEN", githubPAT, "github-pat"},
		{"ANYTHING", githubPAT, "github-pat"},
		{"HOME_ID", awsKey, "aws-access-token"},
		{"HOOK", slackBot, "slack-bot-token"},
		{"DATABASE_URL", "postgres://app:s3cr3tpw@db:5432/app", RuleURL},
		{"DATABASE_URL", "postgres://app@db:5432/app", ""},
		{"DATABASE_URL", "postgres://app:$PASSWORD@db:5432/app", ""},
		{"DB_PASSWORD", "", ""},
		{"DB_PASSWORD", "$OTHER", ""},
		{"DB_PASSWORD", "{{ .Values.password }}", ""},
		{"DB_PASSWORD_FILE", "/run/secrets/db", ""},
		{"TLS_KEY", "/etc/ssl/server.key", ""},
		{"ALLOW_EMPTY_PASSWORD", "yes", ""},
		{"GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568", ""},
		{"GPG_KEYS", "E3FF2839C048B25C084DEBE9B26995E310250568", ""},
		{"PWD", "/app", ""},
		{"OLDPWD", "app", ""},
		{"PATH", "/usr/local/bin:/usr/bin", ""},
		{"MONKEY", "banana", ""},
		{"KEYBOARD", "german", ""},
		{"LANG", "C.UTF-8", ""},
		{"PYTHON_SHA256", "8fb5f9fbc7609fa822cb31549884575db7fd9657cbffb89510b5d7975963a83a", ""},
	} {
		rule := ""
		hits := New().Value(c.name, c.value)
		if len(hits) > 0 {
			rule = hits[0].Rule
		}
		if rule != c.rule {
			t.Errorf("%s=%s: rule %q, want %q", c.name, c.value, rule, c.rule)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"/bin/sh -c #(nop)  ENV DB_PASSWORD=hunter2":                         "hunter2",
		"ENV DB_PASSWORD=hunter2":                                            "hunter2",
		`ENV DB_PASSWORD="two words" X=y`:                                    "two words",
		"RUN |1 NPM_TOKEN=abc123 /bin/sh -c npm ci # buildkit":               "abc123",
		"mysqld --root-password=hunter2":                                     "hunter2",
		"mysqld --root-password hunter2":                                     "hunter2",
		"wget https://user:hunter2@example.com/x":                            "hunter2",
		"sh -c 'MY_KEY=hunter2 run'":                                         "hunter2",
		"run --quiet --password hunter2":                                     "hunter2",
		"run --password=-hunter2":                                            "-hunter2",
		"docker login --password-stdin":                                      "",
		"login --password --quiet":                                           "",
		"RUN --mount=type=secret,id=token cat /run/secrets/token":            "",
		"export TOKEN=$(cat /run/secrets/token)":                             "",
		"RUN /bin/sh -c echo " + githubPAT:                                   githubPAT,
		"/bin/sh -c apt-get update && apt-get install -y passwd":             "",
		"COPY file:4ae1c1bd58bbd2d1a3d1b0a4a7f8b2f8e9 in /etc/key.pem":       "",
		"-----BEGIN RSA PRIVATE KEY-----\nshort\n-----END RSA PRIVATE KEY--": "",
	} {
		got := ""
		if hits := New().Text(text); len(hits) > 0 {
			got = hits[0].Secret
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestMask hides each credential of a text and nothing else.
func TestMask(t *testing.T) {
	d := New()
	for text, want := range map[string]string{
		"ENV A=b DB_PASSWORD=hunter2 C=d":             "ENV A=b DB_PASSWORD=*** C=d",
		"curl " + githubPAT + " and " + awsKey + " x": "curl *** and *** x",
		"nothing here": "nothing here",
	} {
		if got := d.Mask(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestLook(t *testing.T) {
	finds := New().Look(Source{
		Env:         []string{"PATH=/bin", "DB_PASSWORD=hunter2", githubPAT + "=x", "WORDS"},
		Labels:      map[string]string{"b.token": "0123456789abcdef", "a": "plain", "evil\x1b[2J": awsKey},
		Entrypoint:  []string{"/run", "--secret", "0123456789"},
		Cmd:         []string{"sh", "-c", "TOKEN=0123456789 run", "--token", "--other", "--password"},
		Healthcheck: []string{"CMD", "--api-key=" + strings.Repeat("k9", 40)},
		History:     []string{"RUN run", "ENV API_TOKEN=0123456789", "ADD file"},
	})
	var got []string
	for _, f := range finds {
		got = append(got, f.Place+" "+f.Rule+" "+f.Length)
	}
	want := []string{
		"env DB_PASSWORD credential-by-name under 8 characters",
		"env 3 github-pat at least 32 characters",
		"label b.token credential-by-name at least 16 characters",
		"label 3 aws-access-token at least 16 characters",
		"entrypoint word 3 credential-by-name at least 8 characters",
		"command word 3 credential-by-name at least 8 characters",
		"health check word 2 credential-by-name at least 64 characters",
		"history layer 2 credential-by-name at least 8 characters",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPlaceWithoutSecret gives a setting that has a credential for a name its number.
func TestPlaceWithoutSecret(t *testing.T) {
	for _, f := range New().Look(Source{Env: []string{githubPAT + "=" + awsKey}}) {
		if f.Place != "env 1" {
			t.Errorf("place %q", f.Place)
		}
	}
}

func TestDetectorByManyAtOnce(t *testing.T) {
	d := New()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 50 {
				if hits := d.Value("GITHUB_TOKEN", githubPAT); len(hits) != 1 {
					t.Errorf("%d hits", len(hits))
					return
				}
				_ = d.Text(fmt.Sprintf("TOKEN=%d", i))
			}
		})
	}
	group.Wait()
}

// FuzzText looks at anything: whatever is found is part of the text, and masking leaves none of it.
func FuzzText(f *testing.F) {
	f.Add("ENV DB_PASSWORD=hunter2")
	f.Add("x://a:b@c --token 'y' " + githubPAT)
	d := New()
	f.Fuzz(func(t *testing.T, text string) {
		for _, hit := range d.Text(text) {
			if hit.Secret == "" || !strings.Contains(text, hit.Secret) {
				t.Errorf("%q: found %q", text, hit.Secret)
			}
		}
	})
}

// environments are those of 200 containers of ten images, each with some values of its own.
func environments() [][]string {
	var out [][]string
	for i := range 200 {
		out = append(out, []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
			fmt.Sprintf("APP_VERSION=1.%d.0", i%10), fmt.Sprintf("SERVICE_NAME=web-%03d", i), fmt.Sprintf("PORT=%d", 8000+i),
			fmt.Sprintf("DB_PASSWORD=pw-%05d-%d", i*7919, i), fmt.Sprintf("DATABASE_URL=postgres://app:pw%d@db/app", i),
			"GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568", "LOG_LEVEL=info", "JAVA_OPTS=-Xmx512m -XX:+UseG1GC",
		})
	}
	return out
}

// BenchmarkFirst looks at the environments of 200 containers with a detector that has not read its rules yet.
func BenchmarkFirst(b *testing.B) {
	envs := environments()
	b.ReportAllocs()
	for b.Loop() {
		d := New()
		for _, env := range envs {
			if len(d.Look(Source{Env: env})) != 2 {
				b.Fatal("not two")
			}
		}
	}
}

// BenchmarkRules reads the rules.
func BenchmarkRules(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newRuleSet(gitleaks)
	}
}
