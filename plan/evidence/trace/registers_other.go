//go:build !amd64

package trace

// registers have no names elsewhere: what is to be read is then said not to be found.
var registers = struct{ number, second, first, third, fourth, fifth string }{"unknown", "unknown", "unknown", "unknown", "unknown", "unknown"}

const capsetCall = -1
