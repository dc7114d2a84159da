package container

import "testing"

func TestPrintable(t *testing.T) {
	var c state
	c.Config.Env = []string{"PATH=/usr/bin:/bin", "DB_PASS=abc", "GREETING=good morning", "MODE=fast", "EMPTY_KEY="}
	tests := []struct{ line, want string }{
		{"chown: /data: Operation not permitted", "chown: /data: Operation not permitted"},
		{"login with abc failed", "login with *** failed"},
		{"said good morning in mode fast", "said *** in mode fast"},
		{"cannot reach postgres://app:hunter2@db/x", "cannot reach postgres://app:***@db/x"},
		{`bad "password": "hunter2"`, `bad "password": ***`},
		{"Authorization: Bearer xyz", "Authorization: ***"},
		{"PATH is /usr/bin:/bin", "PATH is /usr/bin:/bin"},
		{"\x1b]0;title\a", "?]0;title?"},
	}
	for _, tt := range tests {
		if got := c.printable(tt.line); got != tt.want {
			t.Errorf("printable(%q) = %q, want %q", tt.line, got, tt.want)
		}
	}
}
