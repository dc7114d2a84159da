// Package trace counts, in the kernel, the capability checks and the executions of every container of this host.
//
// Two small eBPF programs are put together here, instruction by instruction, for the kernel that runs: where the
// fields of its structures lie is read from its own type information, so that nothing is compiled and no object
// file is kept. Counting happens in maps that the programs write and this process reads; nothing is pinned, so that
// both are gone when this process ends, however it ends.
//
// A check is counted where the kernel decides it: on the tracepoint cap_capable (newer kernels), else when the
// function of that name returns, else when it begins; these two have one more program for what capset is asked for,
// of which they see nothing. Start takes the first that this kernel allows, and says of each why it cannot be used
// where none can.
//
// What is counted is raw: that a check was granted does not mean that the container needs it. See package evidence.
package trace
