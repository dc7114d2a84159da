package trace

// registers are the names in pt_regs, and the number of capset, on x86-64.
var registers = struct{ number, second, first, third, fourth, fifth string }{"orig_ax", "si", "di", "dx", "cx", "r8"}

const capsetCall = 126
