package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fatih/color"

	"docker-harden/remediate"
)

// liveProgress keeps one line on a terminal for the running step, with the time it takes, and
// leaves one line behind for every step that ended.
type liveProgress struct {
	out    io.Writer
	good   *color.Color
	bad    *color.Color
	mu     sync.Mutex
	line   string // the running line; empty: none on the screen
	since  time.Time
	ticker *time.Ticker
	done   chan struct{}
}

func newLiveProgress(out io.Writer, coloured bool) *liveProgress {
	p := &liveProgress{
		out: out, good: color.New(color.FgGreen), bad: color.New(color.FgRed, color.Bold),
		ticker: time.NewTicker(time.Second / 4), done: make(chan struct{}),
	}
	for _, c := range []*color.Color{p.good, p.bad} {
		if coloured {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	go p.tick()
	return p
}

func (p *liveProgress) tick() {
	for {
		select {
		case <-p.done:
			return
		case <-p.ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		}
	}
}

func (p *liveProgress) event(e remediate.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	finished := finishedLine(e)
	if finished == "" {
		if slices.Contains([]remediate.Phase{remediate.PhasePrepare, remediate.PhaseUndo, remediate.PhaseVerify, remediate.PhaseWatch}, e.Phase) {
			p.since = time.Now()
		}
		p.line = runningLine(e)
		p.draw()
		return
	}
	p.erase()
	paint := p.good
	if e.Err != nil {
		paint = p.bad
	}
	_, _ = fmt.Fprintln(p.out, paint.Sprint(finished))
}

// draw writes the running line over itself. A line that is wider than the terminal would scroll.
func (p *liveProgress) draw() {
	if p.line == "" {
		return
	}
	text := fmt.Sprintf("%s  %.0fs", p.line, time.Since(p.since).Seconds())
	if columns := width(p.out); columns > 1 && utf8.RuneCountInString(text) >= columns {
		text = string([]rune(text)[:columns-2]) + "…"
	}
	_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", text)
}

func (p *liveProgress) erase() {
	if p.line != "" {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.line = ""
}

func (p *liveProgress) close() {
	p.ticker.Stop()
	close(p.done)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}
