package inventory

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
)

// Labels by which Docker Compose marks its containers.
const (
	ComposeProject = "com.docker.compose.project"
	ComposeService = "com.docker.compose.service"
	ComposeOneOff  = "com.docker.compose.oneoff"
	ComposeVersion = "com.docker.compose.version"
	ComposeDir     = "com.docker.compose.project.working_dir"
	ComposeConfig  = "com.docker.compose.project.config_files"
	ComposeEnv     = "com.docker.compose.project.environment_file"
)

// ComposeFile is what matters of one file of a Compose project. Its other content, which may hold
// secrets, is not kept.
type ComposeFile struct {
	// Deploy is, by service, what stands under its deploy: [UnderLimits], [UnderRestart].
	Deploy map[string][]string `json:"deploy,omitempty"`
	// Problem says why the file could not be read.
	Problem string `json:"problem,omitempty"`
}

// What can stand under deploy. Where limits do, Compose refuses pids_limit and mem_limit beside it,
// and it prefers the restart policy that stands there.
const (
	UnderLimits  = "limits"
	UnderRestart = "restart_policy"
)

// ComposeFiles are the files a Compose container was made from, as absolute paths where they can be
// known. "-" stands for what Compose read from its standard input.
func (c *Container) ComposeFiles() []string {
	return composePaths(c.Inspect.Config.Labels, ComposeConfig)
}

// ComposeEnvFiles are the files given to Compose with --env-file.
func (c *Container) ComposeEnvFiles() []string {
	return composePaths(c.Inspect.Config.Labels, ComposeEnv)
}

func composePaths(labels map[string]string, label string) []string {
	var out []string
	for _, name := range strings.Split(labels[label], ",") {
		switch dir := labels[ComposeDir]; {
		case name == "":
			continue
		case name != "-" && !path.IsAbs(name) && path.IsAbs(dir):
			name = path.Join(dir, name)
		}
		out = append(out, name)
	}
	return out
}

// Bounds of a Compose file that is looked into; the parser's time grows with the square.
const (
	maxComposeFile   = 256 << 10
	maxComposeTokens = 20000
)

// composeFiles looks into the files of the Compose projects of this host.
func (c *collector) composeFiles() {
	if !c.host.Engine.Local {
		return
	}
	for i := range c.found {
		o := &c.found[i].container
		if o.Owner.Kind != OwnedByCompose {
			continue
		}
		for _, name := range o.ComposeFiles() {
			if _, seen := c.host.Compose[name]; seen || !path.IsAbs(name) {
				continue
			}
			if c.host.Compose == nil {
				c.host.Compose = make(map[string]ComposeFile)
			}
			c.host.Compose[name] = c.root.composeFile(name)
		}
	}
}

func (r hostRoot) composeFile(name string) ComposeFile {
	real, _, err := r.resolve(name)
	if err != nil {
		return ComposeFile{Problem: err.Error()}
	}
	file, data, err := r.readConfig(real)
	switch {
	case err != nil:
		return ComposeFile{Problem: err.Error()}
	case !file.Exists:
		return ComposeFile{Problem: "it does not exist"}
	}
	under, err := composeDeploy(data)
	if err != nil {
		return ComposeFile{Problem: err.Error()}
	}
	return ComposeFile{Deploy: under}
}

// composeDeploy finds what stands under deploy of the services. An error never quotes the file.
func composeDeploy(data []byte) (under map[string][]string, err error) {
	if len(data) > maxComposeFile {
		return nil, fmt.Errorf("it is larger than %d KiB", maxComposeFile>>10)
	}
	// The parser is foreign code fed with a foreign file: a panic there is this file's problem.
	defer func() {
		if recover() != nil {
			under, err = nil, fmt.Errorf("it is not YAML that can be read")
		}
	}()
	if n := len(lexer.Tokenize(string(data))); n > maxComposeTokens {
		return nil, fmt.Errorf("it has %d words and marks, more than are looked at", n)
	}
	var file struct {
		Services map[string]struct {
			Deploy struct {
				RestartPolicy *struct{} `yaml:"restart_policy"`
				Resources     struct {
					Limits *struct{} `yaml:"limits"`
				} `yaml:"resources"`
			} `yaml:"deploy"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("it is not YAML that can be read")
	}
	for name, service := range file.Services {
		var found []string
		if service.Deploy.Resources.Limits != nil {
			found = append(found, UnderLimits)
		}
		if service.Deploy.RestartPolicy != nil {
			found = append(found, UnderRestart)
		}
		if len(found) > 0 {
			if under == nil {
				under = make(map[string][]string)
			}
			under[name] = slices.Clip(found)
		}
	}
	return under, nil
}
