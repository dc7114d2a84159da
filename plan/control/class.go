package control

import "strings"

// Class is what apply does about a control at most.
type Class string

// The classes.
const (
	// Automatic: it is changed by default, without a question where nothing speaks against it.
	Automatic Class = "automatic"
	// Answer: it is changed once the profile answers what only a person knows.
	Answer Class = "answer"
	// Reported: it is judged and never changed; a finding says what a person can do.
	Reported Class = "reported"
)

// Classes are all classes, in the order in which they are counted.
func Classes() []Class { return []Class{Automatic, Answer, Reported} }

// Words is a class as tables print it.
func (c Class) Words() string {
	if c == Answer {
		return "with an answer"
	}
	return string(c)
}

// nothingUndone is how what is never changed is undone.
const nothingUndone = "Nothing to undo: nothing is changed."

// Undo is the part of Fix that says how the change is undone: from the word Undone on.
func (c *Control) Undo() string {
	if c.Class == Reported {
		return nothingUndone
	}
	if i := strings.Index(c.Fix, "Undone "); i >= 0 {
		return c.Fix[i:]
	}
	return ""
}

// Way is the rest of Fix: how it is fixed.
func (c *Control) Way() string {
	if c.Class == Reported {
		return c.Fix
	}
	way, _, _ := strings.Cut(c.Fix, "Undone ")
	return strings.TrimSpace(way)
}
