package inventory

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strconv"
)

// maxAnswer bounds what is read of one answer over a wire.
const maxAnswer = 64 << 20

// readAnswer reads one HTTP/1.1 answer (RFC 9112) as engines give it, with a body whose length is told
// or that comes in chunks. false: it is anything else than a whole 200, or written in a way that
// engines do not use; what follows cannot be read then. usual is how long the body is expected to be.
func readAnswer(in *bufio.Reader, usual int) ([]byte, bool) {
	status, ok := readLine(in)
	if !ok || string(status) != "HTTP/1.1 200 OK" {
		return nil, false
	}
	length, chunked := int64(-1), false
	for {
		line, ok := readLine(in)
		if !ok {
			return nil, false
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(": "))
		if !ok || !plainHeader(name, value) {
			return nil, false
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || length >= 0 {
				return nil, false
			}
			length = int64(n)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			if chunked || string(value) != "chunked" {
				return nil, false
			}
			chunked = true
		case bytes.EqualFold(name, []byte("Connection")), bytes.EqualFold(name, []byte("Content-Encoding")):
			return nil, false
		}
	}
	switch {
	case chunked && length < 0:
		return readChunks(in, make([]byte, 0, usual))
	case !chunked && length >= 0:
		return readMore(in, nil, length)
	}
	return nil, false
}

// plainHeader reports whether a header has a name of letters, digits and hyphens, and a printable value.
func plainHeader(name, value []byte) bool {
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(name) > 0 && !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}

// readChunks reads a chunked body. Neither extensions nor trailers are among what engines send.
func readChunks(in *bufio.Reader, body []byte) ([]byte, bool) {
	for {
		digits, ok := readLine(in)
		if !ok {
			return nil, false
		}
		size, err := strconv.ParseUint(string(digits), 16, 31)
		if err != nil {
			return nil, false
		}
		if body, ok = readMore(in, body, int64(size)); !ok {
			return nil, false
		}
		if end, ok := readLine(in); !ok || len(end) != 0 {
			return nil, false
		}
		if size == 0 {
			return body, true
		}
	}
}

// readMore appends exactly n bytes, unless that would be too much in all. Memory is taken as they come.
func readMore(in *bufio.Reader, body []byte, n int64) ([]byte, bool) {
	if int64(len(body))+n > maxAnswer {
		return nil, false
	}
	for n > 0 {
		at, piece := len(body), int(min(n, 1<<20))
		body = slices.Grow(body, piece)[:at+piece]
		if _, err := io.ReadFull(in, body[at:]); err != nil {
			return nil, false
		}
		n -= int64(piece)
	}
	return body, true
}

// readLine reads a line that ends with CR LF, without them; it is valid until the next read. A line
// longer than the buffer is none.
func readLine(in *bufio.Reader) ([]byte, bool) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, false
	}
	return bytes.CutSuffix(line, []byte("\r\n"))
}
