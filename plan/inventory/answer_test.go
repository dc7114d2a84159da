package inventory

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestReadAnswer(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		answer, body string
		ok           bool
	}{
		"a length":                  {answer: head + "Content-Length: 4\r\n\r\nbody", body: "body", ok: true},
		"any case":                  {answer: head + "content-LENGTH: 4\r\n\r\nbody", body: "body", ok: true},
		"no body":                   {answer: head + "Content-Length: 0\r\n\r\n", ok: true},
		"chunks":                    {answer: head + "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", body: "body", ok: true},
		"trailers":                  {answer: head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nA: b\r\n\r\n"},
		"extensions":                {answer: head + "Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\n\r\n"},
		"no name":                   {answer: head + ": a\r\nContent-Length: 4\r\n\r\nbody"},
		"no value":                  {answer: head + "0\r\nContent-Length: 4\r\n\r\nbody"},
		"a folded header":           {answer: head + " more\r\nContent-Length: 4\r\n\r\nbody"},
		"hexadecimal":               {answer: head + "Transfer-Encoding: chunked\r\n\r\n0A\r\n0123456789\r\n0\r\n\r\n", body: "0123456789", ok: true},
		"not found":                 {answer: "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody"},
		"an older protocol":         {answer: "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody"},
		"until the end":             {answer: head + "\r\nbody"},
		"the last answer":           {answer: head + "Connection: close\r\nContent-Length: 4\r\n\r\nbody"},
		"packed":                    {answer: head + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody"},
		"two lengths":               {answer: head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!"},
		"a length and chunks":       {answer: head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"},
		"another encoding":          {answer: head + "Transfer-Encoding: gzip\r\n\r\n4\r\nbody\r\n0\r\n\r\n"},
		"a negative length":         {answer: head + "Content-Length: -1\r\n\r\n"},
		"too long":                  {answer: head + fmt.Sprintf("Content-Length: %d\r\n\r\n", maxAnswer+1)},
		"too much in chunks":        {answer: head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n%x\r\n", maxAnswer)},
		"a size beyond all numbers": {answer: head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"},
		"cut in the head":           {answer: head},
		"cut in the body":           {answer: head + "Content-Length: 4\r\n\r\nbod"},
		"cut in a chunk":            {answer: head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbod"},
		"cut before the end":        {answer: head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"},
		"a chunk without an end":    {answer: head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbodyX\r\n0\r\n\r\n"},
		"lines of another system":   {answer: strings.ReplaceAll(head, "\r", "") + "Content-Length: 4\n\nbody"},
		"a line beyond the buffer":  {answer: head + "A: " + strings.Repeat("a", 5000) + "\r\nContent-Length: 4\r\n\r\nbody"},
		"nothing":                   {},
	} {
		in := bufio.NewReaderSize(strings.NewReader(c.answer+"next"), 4096)
		if strings.HasPrefix(name, "cut") {
			in = bufio.NewReaderSize(strings.NewReader(c.answer), 4096)
		}
		body, ok := readAnswer(in, 0)
		if ok != c.ok || ok && string(body) != c.body {
			t.Errorf("%s: %q %v", name, body, ok)
		}
		if rest, _ := io.ReadAll(in); ok && string(rest) != "next" {
			t.Errorf("%s: left %q", name, rest)
		}
	}
}

// FuzzReadAnswer compares with net/http: what is taken here is a whole 200 there, with the same body
// and the same rest.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 4\r\n\r\nbodynext"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nnext"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReaderSize(bytes.NewReader(data), 4096)
		body, ok := readAnswer(in, 10)
		if !ok {
			return
		}
		rest, _ := io.ReadAll(in)
		other := bufio.NewReaderSize(bytes.NewReader(data), 4096)
		answer, err := http.ReadResponse(other, nil)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		want, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || answer.Close || !bytes.Equal(body, want) {
			t.Fatalf("net/http reads %q %v (status %d), here %q", want, err, answer.StatusCode, body)
		}
		if behind, _ := io.ReadAll(other); !bytes.Equal(rest, behind) {
			t.Fatalf("net/http leaves %q, here %q", behind, rest)
		}
	})
}
