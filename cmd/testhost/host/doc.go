// Package host makes isolated Docker hosts for tests and for the demo: an engine
// with its own /etc/docker, socket, images, bridge, firewall rules and processes,
// on the real default paths, that leaves nothing behind.
//
// A host is a set of kernel namespaces with a small shell as PID 1. Inside, /etc,
// /var/lib and /var/log are overlays, /run is empty, and /var/lib/docker lies on
// the disk of the temporary directory. The engine is a bare process started
// without flags, so /etc/docker/daemon.json is its whole configuration.
//
// Tests run inside the host: a package's TestMain calls Main, which runs the same
// test binary again within one. A test then asks for the engine with Here. Tests
// that cannot run inside start a further host with Start and look at it from
// outside. Programs without a testing.TB use Launch.
//
// A host can be made of another Debian release, with the engine that it brings (see
// Debian, and EngineVariable for doing so to every test of a run). The release is
// unpacked into the cache once; tests run inside such a host too, because the
// machine's own folders (sources, homes, temporary files) stay visible there.
//
// Whatever happens to the owner of a host (a failed test, a panic, a signal,
// kill -9), a keeper process notices and removes processes, mounts, network,
// control groups and files. Should the keeper be killed as well, the kernel
// removes the processes with it and the next start sweeps up the rest.
//
// Measured on two cores: a host is there after 0.1 to 0.2 s, its engine answers 0.3
// to 0.8 s later, the first container runs after another 0.6 s, and all is gone 0.1
// to 0.4 s after Close. With systemd as PID 1 (see Systemd) the engine answers after
// 0.7 to 1.5 s. Hosts start within each other and side by side. Control groups of
// both versions are known.
//
// A container that ignores SIGTERM makes everything that stops it wait for 10 s;
// the sample images' own commands end at once.
//
// The package needs root, and docker.io, iproute2, iptables and util-linux of
// Debian; images other than busybox also need mmdebstrap. Missing ones are named
// with the apt command that installs them; nothing is skipped.
//
// There is no promise about this package's API before version 1.
package host
