// Command testhost starts isolated Docker hosts for the demo, for trying things
// out and for writing tests. Everything it starts is gone when it ends.
//
//	testhost run [--workload] [-- COMMAND...]   a host, and a command (or a shell) in it
//	testhost images                             builds the sample images into the cache
//	testhost engines                            builds the roots of newer engines into the cache
//	testhost vm                                 builds the virtual machine into the cache
//	testhost check                              says what this machine lacks
package main
