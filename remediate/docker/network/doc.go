// Package network moves containers from the engine's default bridge to another network and back, without a restart.
//
// [Mover] connects a container to the new network first and disconnects it from the default bridge then, so that at
// every instant it is on at least one of them. Published ports follow the engine's choice of a gateway: they pause for
// less than a second, and connections over the old address end. The engine keeps the networks of a container in its
// own record of it, so the move holds through restarts of the container and of the engine, although HostConfig goes
// on to say NetworkMode "default".
//
// A step is done when the engine shows the planned networks and the routes of the container's network namespace say
// the same. Limits that are set live in the same step are left to another handler.
//
// There is no API promise before v1.
package network
