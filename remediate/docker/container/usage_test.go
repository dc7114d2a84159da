package container

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGroupUsage(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  usage
		fails bool
	}{
		{"version 1", map[string]string{
			"proc/7/cgroup": "4:memory:/docker/a\n3:cpu,pids:/docker/a\n0::/\n",
			"sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes": "5000\n",
			"sys/fs/cgroup/memory/docker/a/memory.stat":           "inactive_file 1\ntotal_inactive_file 2000\n",
			"sys/fs/cgroup/pids/docker/a/pids.current":            "12\n",
		}, usage{3000, 12}, false},
		{"version 2", map[string]string{
			"proc/7/cgroup": "0::/system.slice/a\n",
			"sys/fs/cgroup/system.slice/a/memory.current": "5000\n",
			"sys/fs/cgroup/system.slice/a/memory.stat":    "anon 9\ninactive_file 1000\n",
			"sys/fs/cgroup/system.slice/a/pids.current":   "3\n",
		}, usage{4000, 3}, false},
		{"the root group", map[string]string{"proc/7/cgroup": "0::/\n", "sys/fs/cgroup/memory.current": "5"}, usage{}, true},
		{"gone", nil, usage{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range tt.files {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Options{Root: root}.groupUsage(7)
			if (err != nil) != tt.fails || !tt.fails && got != tt.want {
				t.Errorf("groupUsage: %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
