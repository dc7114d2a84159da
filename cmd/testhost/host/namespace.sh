# Turns fresh namespaces into a host of its own, then stays as its PID 1.
# It runs twice: first with the machine's network, to note it and to enter the
# host's own control groups; then again inside a new network and cgroup namespace.
set -eu
state=$1

if [ "${2:-}" != inner ]; then
  # The old /proc still tells the PID that the machine knows this process by.
  read -r outer _ </proc/self/stat
  echo "$outer" >"$state/pid"
  while read -r file; do
    echo 0 >"$file"
  done <"$state/cgroups.enter"
  cp -L /etc/resolv.conf "$state/resolv.conf" 2>/dev/null || : >"$state/resolv.conf"
  mount --make-rprivate /
  # Copies of another engine's mounts would keep it from removing its containers.
  awk '$5 ~ "^(/var/lib/docker|/var/lib/containerd|/run/docker|/run/containerd)(/|$)" {print $5}' \
    /proc/self/mountinfo | sort -r | while read -r dir; do umount -l "$dir" || :; done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -m 1777 /run/lock
  mkdir -m 0700 /run/testhost
  # Only the building of images uses this, because packages must be fetched.
  : >/run/testhost/machine-net
  mount --bind /proc/self/ns/net /run/testhost/machine-net
  exec unshare --net --cgroup sh "$state/namespace.sh" "$state" inner "$outer"
fi
outer=$3

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

echo "ready $outer"
exec </dev/null >/dev/null 2>&1
# The loop reaps: a dead containerd left as a zombie would stop the next engine.
while :; do
  sleep 3600 &
  wait
done
