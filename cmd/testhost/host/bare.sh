# Turns the machine's own file system into that of a host with a bare engine: what
# an engine and its tools write goes into overlays and directories of the host.
# Stays as its PID 1.
set -eu
state=$1
outer=$2

# An overlay cannot be the writable side of another overlay.
if [ "$(stat -f -c %T "$state")" = overlayfs ]; then
  mount -t tmpfs -o mode=700 tmpfs "$state"
fi
for dir in /etc /var/lib /var/log; do
  layer=$state/layers$dir
  mkdir -p "$layer/up" "$layer/work"
  chmod --reference=$dir "$layer/up"
  chown --reference=$dir "$layer/up"
  mount -t overlay overlay -o "lowerdir=$dir,upperdir=$layer/up,workdir=$layer/work" $dir
done
[ ! -L /etc/resolv.conf ] || { rm /etc/resolv.conf; cp "$state/resolv.conf" /etc/resolv.conf; }
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
rm -rf /etc/docker /etc/docker-harden
mkdir -p /etc/docker
printf '{}\n' >/etc/docker/daemon.json
for name in docker containerd docker-harden; do
  mkdir -p "$state/data/$name" "/var/lib/$name"
  mount --bind "$state/data/$name" "/var/lib/$name"
done
chmod 0700 "$state/data/docker-harden"
chmod 0711 "$state/data/containerd"
[ /var/run -ef /run ] || mount --bind /run /var/run

# What would stay mounted underneath still shows in the list of mounts.
umount -l -R /sys
mount -t sysfs sysfs /sys
umount -l -R /proc
mount -t proc proc /proc
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || :
. "$state/cgroups.mount"
hostname "$(cat "$state/hostname")"
ip link set lo up
# The engine asks its firewall dozens of times at every start: the older tools answer in half the time.
for name in iptables ip6tables; do
  if $name-legacy -t nat -L -n >/dev/null 2>&1; then ln -sf /usr/sbin/$name-legacy /etc/alternatives/$name; fi
done

echo "ready $outer"
exec </dev/null >/dev/null 2>&1
# The loop reaps: a dead containerd left as a zombie would stop the next engine.
while :; do
  sleep 3600 &
  wait
done
