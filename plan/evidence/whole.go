package evidence

import "slices"

// Gaps are what was not seen that has to be before a capability is taken away because it was not seen in use. None:
// everything was.
func (f *File) Gaps() []string {
	if !f.Watched() {
		return append([]string{"every capability check of the time that it was watched"}, f.LifeGaps()...)
	}
	return f.LifeGaps()
}

// LifeGaps are the parts of its life that were not seen.
func (f *File) LifeGaps() []string {
	var out []string
	need := func(seen bool, what string) {
		if !seen {
			out = append(out, what)
		}
	}
	need(f.Started(), "a start")
	need(f.any(func(w Window) bool { return w.Stops > 0 }), "an end that it came to itself when it was stopped")
	again := f.any(func(w Window) bool { return w.SecondStart })
	need(again, "a second start after that")
	need(!again || f.Starts() > 1, "a start before that: a restart shows the second one alone")
	need(f.any(func(w Window) bool { return w.ChecksPassed }), "a check that it works (its health check, or an exercise)")
	return out
}

// Fresh reports whether it was seen made from its image alone: what is done only the first time, with files that are
// not there yet, is not seen otherwise.
func (f *File) Fresh() bool { return f.any(func(w Window) bool { return w.Creates > 0 }) }

// Starts is how many starts were seen.
func (f *File) Starts() int {
	n := 0
	for _, w := range f.Windows {
		switch {
		case w.Starts > 0:
			n += w.Starts
		case w.Startup:
			n++
		}
	}
	return n
}

// Lives counts the parts of its life that were seen: how often it was made, started and stopped.
func (f *File) Lives() (creates, starts, stops int) {
	for _, w := range f.Windows {
		creates, stops = creates+w.Creates, stops+w.Stops
	}
	return creates, f.Starts(), stops
}

// Unprivileged says why it may be that a process uses a capability, from what was seen of the processes and programs
// alone; empty: no process held any, the first one neither, and no program could give one. It needs nothing of the
// kernel's checks.
func (f *File) Unprivileged() string {
	first := false
	for _, p := range f.Processes {
		first = first || p.Init
		eff, ok1 := p.Effective.Bits()
		prm, ok2 := p.Permitted.Bits()
		switch {
		case p.Capabilities || eff|prm != 0:
			return "process " + p.Name + " holds capabilities"
		case !ok1 || !ok2:
			return "what process " + p.Name + " holds was not written down"
		case p.UID == 0:
			return "process " + p.Name + " is root"
		}
	}
	switch gained := f.Gained(); {
	case !first:
		return "its first process was not written down"
	case len(gained) > 0:
		return "the execution of " + gained[0].Path + " gained privileges"
	case !f.Programs.Looked || f.Programs.Partial || f.Programs.Problem != "":
		return "not all of its programs were looked at"
	case len(f.Programs.Found) > 0:
		return "program " + f.Programs.Found[0].Path + " gives privileges to who executes it"
	}
	return ""
}

func (f *File) any(is func(Window) bool) bool { return slices.ContainsFunc(f.Windows, is) }
