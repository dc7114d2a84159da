#!/bin/sh
# The first process of the virtual machine: loads the drivers of its disk and its
# network, gives it the address that QEMU expects, and starts the system on the disk.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do
  [ ! -e "/modules/$module.ko" ] || insmod "/modules/$module.ko"
done </modules/order
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 300 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
mount -t ext4 /dev/vda /root || exec sh
exec switch_root /root /sbin/init
