// Package evidence is what was seen of a container while it worked: which capabilities it used and for what, what it
// executed, how much memory and how many processes it had. A file of it is made by learn and read by plan, which
// then takes away nothing that was used.
//
// Evidence speaks of a time. What was not seen in it may be needed all the same, at a start, at a stop, or once a
// month; the window says what was looked at, and nothing here says that something is not needed.
package evidence
