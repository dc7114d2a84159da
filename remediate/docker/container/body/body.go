package body

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"docker-harden/plan"
)

// Source is everything a create request is made from.
type Source struct {
	// Container is the engine's inspect answer for the container that is made again.
	Container json.RawMessage
	// Image is the inspect answer for the image the container runs.
	Image json.RawMessage
	// TagID is the image id that the container's image name means now; empty when it means none.
	TagID string
	// API is the version the request will be sent at, "1.41".
	API string
	// HostName is the engine host's name, which containers on the host network show as theirs.
	HostName string
	// MACs are the MAC addresses a person asked for, by network name. The engine's random ones are
	// not among them.
	MACs map[string]string
	// Networks names every network by its id.
	Networks map[string]string
	// SecretsDir is the directory of the engine's host in which values of variables become files.
	SecretsDir string
	// VolumePrefix begins the names of volumes that take what a container has in a directory.
	VolumePrefix string
	// EmptyVolumes are volumes without content: they must not be filled from the image, which the
	// engine does at create while the old container still uses them.
	EmptyVolumes []string
}

// Request makes a container: the body for POST /containers/create, networks to connect before the
// start, and the restart policy to set when everything is proven. It holds secrets (environment).
type Request struct {
	Create  json.RawMessage `json:"create"`
	Connect []Endpoint      `json:"connect,omitempty"`
	// Policy is the restart policy the container ends with; Create has "no" as long as that matters.
	Policy json.RawMessage `json:"policy"`
	// Transforms are the fields that differ from the source on purpose and were not planned.
	Transforms []Transform `json:"transforms,omitempty"`
	// Changed are the planned fields.
	Changed []string `json:"changed,omitempty"`
	// Secrets are the values that have to stand in files before the container is made.
	Secrets []Secret `json:"secrets,omitempty"`
	// Volumes have to be filled before the container is started.
	Volumes []Volume `json:"volumes,omitempty"`
	// Inherits is true for a container that is brought back from a record: the log options and limits
	// that the engine by now adds to those of every container are no difference then, because it cannot
	// be told to leave them out. [Inherited] names them.
	Inherits bool `json:"inherits,omitempty"`
}

// Endpoint is one network to connect.
type Endpoint struct {
	Network string          `json:"network"`
	Config  json.RawMessage `json:"config"` // the EndpointConfig of POST /networks/{id}/connect
}

// Transform is a field that is sent differently so that the container comes out the same.
type Transform struct {
	Path string `json:"path"`
	Why  string `json:"why"`
	// Free is true when the engine chooses the value.
	Free bool `json:"free,omitempty"`
}

// ErrStale says that a change starts from a value the container no longer has.
var ErrStale = errors.New("container changed since the plan was made")

type builder struct {
	src    Source
	old    *inspect
	config object
	host   object
	ends   map[string]object
	main   string // network of NetworkMode, or the one to create with
	left   string // network that it was on and is not made on
	joined string // network that it was not on
	req    *Request
}

// Build makes the request that creates the source container again with the changes made.
// It fails with ErrStale when a change's From is not what the container has.
func Build(src Source, changes []plan.Change) (*Request, error) {
	old, err := parse(src.Container)
	if err != nil {
		return nil, err
	}
	b := &builder{src: src, old: old, config: old.Config.clone(), host: old.HostConfig.clone(), req: &Request{}}
	if err := b.apply(changes); err != nil {
		return nil, err
	}
	b.networkMode()
	b.identity()
	if err := b.process(); err != nil {
		return nil, err
	}
	b.storage()
	b.security()
	b.strip()
	b.policy()
	b.endpoints()
	b.finish()
	return b.req, nil
}

// apply makes the planned changes first: every later rule sees the container as it shall be.
func (b *builder) apply(changes []plan.Change) error {
	for _, c := range changes {
		if err := b.change(c); err != nil {
			return err
		}
		b.req.Changed = append(b.req.Changed, c.Path)
	}
	if err := b.publish(changes); err != nil {
		return err
	}
	return b.apartVolumes()
}

// change makes one.
func (b *builder) change(c plan.Change) error {
	if target, setting, ok := plan.MountOf(c.Path); ok {
		return b.changeMount(c, target, setting)
	}
	if name, ok := plan.SecretOf(c.Path); ok {
		return b.moveSecret(c, name)
	}
	if target, ok := plan.VolumeOf(c.Path); ok {
		return b.moveVolume(c, target)
	}
	if _, _, ok := plan.PortOf(c.Path); ok {
		return nil // all at once, afterwards
	}
	if c.Path == plan.NetworksPath {
		return b.changeNetworks(c)
	}
	root, rest, _ := strings.Cut(c.Path, ".")
	target := b.host
	switch {
	case root == "Config" && rest != "":
		target = b.config
	case root != "HostConfig" || rest == "":
		return fmt.Errorf("internal error: cannot recreate a container for a change of %q", c.Path)
	}
	if have := target.getPath(rest); !Equal(c.Path, have, c.From) {
		return fmt.Errorf("%w: %s is %s, the plan expected %s", ErrStale, c.Path, shown(c.Path, have), shown(c.Path, c.From))
	}
	if err := target.setPath(rest, c.To); err != nil {
		return fmt.Errorf("cannot set %s: %w", c.Path, err)
	}
	return nil
}

func (b *builder) changed(path string) bool {
	return slices.ContainsFunc(b.req.Changed, func(c string) bool { return c == path || strings.HasPrefix(c, path+".") })
}

func (b *builder) transform(path, why string) {
	b.req.Transforms = append(b.req.Transforms, Transform{Path: path, Why: why})
}

func (b *builder) free(path, why string) {
	b.req.Transforms = append(b.req.Transforms, Transform{Path: path, Why: why, Free: true})
}

// process keeps the command and the image.
func (b *builder) process() error {
	var image struct{ Config struct{ Entrypoint []string } }
	if !isNull(b.src.Image) {
		if err := json.Unmarshal(b.src.Image, &image); err != nil {
			return fmt.Errorf("cannot read the image's description: %w", err)
		}
	}
	if len(b.config.strings("Entrypoint")) == 0 && len(image.Config.Entrypoint) > 0 {
		// Null or [] would bring the image's entrypoint back; only [""] means none.
		b.config.set("Entrypoint", []string{""})
		b.free("Config.Entrypoint", "the image's entrypoint stays switched off")
	}
	if name := b.config.text("Image"); name != b.old.Image && b.src.TagID != b.old.Image {
		b.config.set("Image", b.old.Image)
		b.transform("Config.Image", fmt.Sprintf("%s now names another image: the same image is used by its id", name))
	}
	return nil
}

// security follows what the engine adds by itself for containers that are open to the host.
func (b *builder) security() {
	open := func(h object) bool {
		return h.bool("Privileged") || h.text("PidMode") == "host" || h.text("IpcMode") == "host"
	}
	opts := b.host.strings("SecurityOpt")
	if open(b.old.HostConfig) && !open(b.host) && slices.Contains(opts, "label=disable") {
		i := slices.Index(opts, "label=disable")
		b.host.set("SecurityOpt", slices.Delete(opts, i, i+1))
		b.transform("HostConfig.SecurityOpt", "the engine's own label=disable goes with the privilege")
	}
	if b.old.HostConfig.bool("Privileged") && !b.host.bool("Privileged") {
		for _, key := range []string{"MaskedPaths", "ReadonlyPaths"} {
			if !b.changed("HostConfig." + key) {
				b.host[key] = json.RawMessage("null")
				b.free("HostConfig."+key, "the engine's defaults return when the privilege goes")
			}
		}
	}
	if b.changed("HostConfig.Memory") && !b.changed("HostConfig.MemorySwap") && isZero(b.host["MemorySwap"]) {
		b.free("HostConfig.MemorySwap", "the engine sets twice the memory limit")
	}
}

func isZero(raw json.RawMessage) bool { return isNull(raw) || string(raw) == "0" }

// strip removes what describes the old container and not its configuration.
func (b *builder) strip() {
	for _, key := range []string{"OnBuild", "NetworkDisabled"} {
		delete(b.config, key)
	}
	if b.host.text("ContainerIDFile") != "" {
		b.host.set("ContainerIDFile", "")
		b.transform("HostConfig.ContainerIDFile", "it names a file of the client that made the old container")
	}
	if !older(b.src.API, "1.42") {
		for _, key := range []string{"KernelMemory", "KernelMemoryTCP"} {
			if _, ok := b.host[key]; ok {
				delete(b.host, key)
				b.free("HostConfig."+key, "engines know it no more since API 1.42")
			}
		}
	}
}

// policy postpones the restart policy: until the swap is proven only one of the two containers may
// be revived at boot.
func (b *builder) policy() {
	b.req.Policy = b.host["RestartPolicy"]
	if name := b.host.child("RestartPolicy").text("Name"); name == "" || name == "no" {
		return
	}
	b.host.set("RestartPolicy", map[string]any{"Name": "no", "MaximumRetryCount": 0})
}

func (b *builder) finish() {
	body := b.config
	body["HostConfig"] = encode(b.host)
	b.req.Create = encode(body)
}

// older reports whether API version a is before b.
func older(a, b string) bool {
	var aMajor, aMinor, bMajor, bMinor int
	_, _ = fmt.Sscanf(a, "%d.%d", &aMajor, &aMinor)
	_, _ = fmt.Sscanf(b, "%d.%d", &bMajor, &bMinor)
	return aMajor < bMajor || aMajor == bMajor && aMinor < bMinor
}
