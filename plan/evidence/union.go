package evidence

// With adds what was written at an earlier time: what is known of a place is what was seen later.
func (w Writes) With(older Writes) Writes { return mergeWrites(w, older) }
