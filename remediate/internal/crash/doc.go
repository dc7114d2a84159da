// Package crash names the instants at which a test ends the program.
//
// In an ordinary build Point does nothing and leaves no trace in the program. With the build tag
// crashpoints, the environment decides:
//
//	DOCKER_HARDEN_CRASH_TRACE=FILE  append the name of every point that is passed to FILE
//	DOCKER_HARDEN_CRASH_AT=N        at the N-th point, end the program with SIGKILL
//	DOCKER_HARDEN_CRASH_HOW=stop    stop it with SIGSTOP instead: whoever watches may then kill the
//	                                engine, or the program, and let it go on with SIGCONT
package crash
