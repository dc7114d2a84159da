package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Format is the format version of rollback files. A reader refuses any other.
const Format = "docker-harden/rollback/v1"

// Kind says what a record is about.
type Kind string

// The kinds of records. Those from Prepared to Pruned, except the run's own, belong to one step.
const (
	KindBegin Kind = "begin" // the first line: the whole [Begin]
	// Of a step.
	Prepared   Kind = "prepared"    // about to be made; data is what its undo needs
	Note       Kind = "note"        // a fact learnt while making it
	Done       Kind = "done"        // made, and seen to hold
	Failed     Kind = "failed"      // could not be made
	Undoing    Kind = "undoing"     // about to be undone
	Undone     Kind = "undone"      // undone; data says how far it came back
	UndoFailed Kind = "undo-failed" // could not be undone
	Pruned     Kind = "pruned"      // what was kept beside this file for its undo is gone
	// Of the run.
	Verified           Kind = "verified"            // the host was read again after the last step
	Applied            Kind = "applied"             // the apply ended and stays
	RollingBack        Kind = "rolling-back"        // everything is about to be undone
	RolledBack         Kind = "rolled-back"         // everything is undone
	RollbackIncomplete Kind = "rollback-incomplete" // the rollback ended, and something could not be undone
	Resumed            Kind = "resumed"             // an interrupted run goes on
	Confirmed          Kind = "confirmed"           // a person keeps the generation
	// Of an apply that goes back unless it is confirmed.
	Awaiting Kind = "awaiting" // data is the [Deadline]; a timer is about to be armed
	Armed    Kind = "armed"    // the timer runs; data describes it
	Expired  Kind = "expired"  // the deadline passed; data is the [Expiry]
	Disarmed Kind = "disarmed" // nothing of the timer is left on the host
)

// known says of each kind that may be written whether it belongs to a step.
var known = map[Kind]bool{
	Prepared: true, Note: true, Done: true, Failed: true, Undoing: true, Undone: true, UndoFailed: true, Pruned: true,
	Verified: false, Applied: false, RollingBack: false, RolledBack: false, RollbackIncomplete: false, Resumed: false, Confirmed: false,
	Awaiting: false, Armed: false, Expired: false, Disarmed: false,
}

// Record is one line of a rollback file. Data may hold secrets.
type Record struct {
	Seq   int             `json:"seq"` // from 1 for the begin record
	Time  time.Time       `json:"time"`
	Kind  Kind            `json:"kind"`
	Step  string          `json:"step,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
	Error string          `json:"error,omitempty"`
	// Prev is the hash of the line before; empty in the first.
	Prev string `json:"prev"`
}

// A line is the record's JSON with its hash spliced in at the end: {…,"sum":"<64 hex digits>"}.
// The hash is taken over the bytes without that member, so that any changed byte is noticed.
const (
	sumOpen  = `,"sum":"`
	sumClose = `"}`
	sumTail  = len(sumOpen) + sha256.Size*2 + len(sumClose)
)

// encode makes the line of a record, without newline, and its hash.
func (r Record) encode() (line []byte, sum string, err error) {
	body, err := marshal(r)
	if err != nil {
		return nil, "", err
	}
	sum = hash(body)
	line = append(body[:len(body)-1], sumOpen+sum+sumClose...)
	return line, sum, nil
}

// decode reads a line made by encode. Its errors hold nothing of the line.
func decode(line []byte) (r Record, sum string, err error) {
	at := len(line) - sumTail
	if at < 1 || !bytes.HasPrefix(line[at:], []byte(sumOpen)) || !bytes.HasSuffix(line, []byte(sumClose)) {
		return Record{}, "", errors.New("it does not end with its hash")
	}
	sum = string(line[at+len(sumOpen) : len(line)-len(sumClose)])
	body := append(bytes.Clone(line[:at]), '}')
	if hash(body) != sum {
		return Record{}, "", errors.New("its hash does not match its content: it was changed after it was written")
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return Record{}, "", errors.New("it is no record of a rollback file")
	}
	return r, sum, nil
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// marshal gives the JSON form of v on one line, without escapes that only browsers need. nil is none.
func marshal(v any) (json.RawMessage, error) {
	if raw, ok := v.(json.RawMessage); v == nil || ok && len(raw) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("internal error: cannot encode %T for the rollback file: %w", v, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
