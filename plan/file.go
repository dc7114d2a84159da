package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// maxFile bounds a plan file; a plan of 1000 containers has about 20 MiB.
const maxFile = 64 << 20

// envelope is the plan file: the plan and a digest of exactly these plan bytes, so that an edit
// after review is noticed. The digest is no signature: it shows accidents and careless edits; who
// may replace the file is a matter of its mode and owner.
type envelope struct {
	SHA256 string          `json:"sha256"`
	Plan   json.RawMessage `json:"plan"`
}

// Encode returns the bytes of a plan file and the sha256 of its plan, in hex: the number a reviewer signs off.
func Encode(p *Plan) (data []byte, sum string, err error) {
	body, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, "", fmt.Errorf("cannot encode plan: %w", err)
	}
	body = Visible(body)
	sum = digest(body)
	const around = 128 // bytes of the envelope
	data = fmt.Appendf(make([]byte, 0, len(body)+around), "{\n\"sha256\": %q,\n\"plan\": ", sum)
	return append(append(data, body...), "\n}\n"...), sum, nil
}

// Decode reads a plan file. It fails with ErrFormat when it is not a plan of this version, and with
// ErrEdited when the plan does not match its digest.
func Decode(data []byte) (p *Plan, sum string, err error) {
	var file envelope
	if err := strict(data, &file); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(file.Plan) == 0 || file.SHA256 == "" {
		return nil, "", fmt.Errorf("%w: it has no plan or no digest", ErrFormat)
	}
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(file.Plan, &head); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if head.Format != Format {
		return nil, "", fmt.Errorf("%w: its format is %q, this version reads %q", ErrFormat, head.Format, Format)
	}
	if sum = digest(file.Plan); sum != file.SHA256 {
		return nil, "", fmt.Errorf("%w: it says sha256 %.12s and has %.12s; make it again", ErrEdited, file.SHA256, sum)
	}
	p = new(Plan)
	if err := strict(file.Plan, p); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := p.check(); err != nil {
		return nil, "", fmt.Errorf("%w: %w; make it again", ErrEdited, err)
	}
	return p, sum, nil
}

// ReadFile reads a plan file as [Decode] does. A file that others could have written is refused:
// it must belong to the caller or root and be writable by its owner alone, and stand where not everybody
// may put another file in its place.
func ReadFile(name string) (p *Plan, data []byte, sum string, err error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, "", fmt.Errorf("cannot open plan: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, nil, "", fmt.Errorf("cannot read plan: %w", err)
	}
	if err := errors.Join(trusted(info), trustedPlace(name)); err != nil {
		return nil, nil, "", fmt.Errorf("cannot trust plan %s: %w", name, err)
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, "", fmt.Errorf("cannot read plan: %w", err)
	}
	if len(data) > maxFile {
		return nil, nil, "", fmt.Errorf("cannot read plan %s: %w: it is larger than %d MiB", name, ErrFormat, maxFile>>20)
	}
	p, sum, err = Decode(data)
	if err != nil {
		return nil, nil, "", fmt.Errorf("cannot read plan %s: %w", name, err)
	}
	return p, data, sum, nil
}

func trusted(info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("it is writable by group or others (mode %04o); review it again, then chmod 0600", info.Mode().Perm())
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return fmt.Errorf("it belongs to uid %d, not to you or root", st.Uid)
	}
	return nil
}

// trustedPlace refuses a directory in which anybody may rename files: he could put another plan of the
// same owner in this one's place. The sticky bit, which /tmp has, keeps him from it.
func trustedPlace(name string) error {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("cannot find out where it is: %w", err)
	}
	dir := filepath.Dir(real)
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at its directory: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("everybody may put another file in its place (%s has mode %04o); move it, review it again", dir, info.Mode().Perm())
	}
	return nil
}

func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is data after the end")
	}
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
