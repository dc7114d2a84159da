package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxSize bounds a file, in bytes.
const MaxSize = 16 << 20

// ErrFormat is the error for what is no evidence.
var ErrFormat = errors.New("it is no evidence of docker-harden learn")

// Decode reads a file. What is in it was written by a program on some host: every text in it is untrusted.
func Decode(data []byte) (*File, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("it has more than %d MiB", MaxSize>>20)
	}
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	switch {
	case head.Format == Format:
	case strings.HasPrefix(head.Format, "docker-harden/evidence/"):
		return nil, fmt.Errorf("it has the format %q, and this version reads %s: learn again", head.Format, Format)
	default:
		return nil, ErrFormat
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	f := &File{}
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return f, f.valid()
}

func (f *File) valid() error {
	switch {
	case f.Container.ID == "" || f.Container.Image == "" || f.Container.Digest == "":
		return errors.New("it does not say which container it is about")
	case len(f.Windows) == 0:
		return errors.New("it does not say when was looked")
	case slices.ContainsFunc(f.Windows, func(w Window) bool { return w.To.Before(w.From) }):
		return errors.New("it says that looking ended before it began")
	case slices.ContainsFunc(slices.Concat(f.Checks, f.Denied, f.Noise), func(c Check) bool { return c.Capability == "" || c.Count == 0 }):
		return errors.New("it has a check of no capability, or one that was never made")
	}
	return f.validSeen()
}

// Encode writes a file for people to read as well.
func (f *File) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}
