# Puts an unpacked Debian, with the engine it brings, in the place of the machine's own
# system, for a host with a bare engine: programs, libraries, /etc and /var are those of
# the other Debian; every other folder of the machine (homes, sources, temporary files,
# the Go tools) stays where it is, so that tests run there as they run here.
# Stays as the host's PID 1.
set -eu
state=$1
outer=$2
. "$state/debian.sh"

chmod 0711 "$state/data/containerd"
rm -rf etc/docker etc/docker-harden
mkdir -p etc/docker
printf '{}\n' >etc/docker/daemon.json
rm -f etc/resolv.conf
cp "$state/resolv.conf" etc/resolv.conf
# Sample images are made of the machine's busybox, wherever they are made.
[ ! -e /bin/busybox ] || { rm -f usr/bin/busybox && cp -L /bin/busybox usr/bin/busybox; }

for dir in /*; do
  [ -d "$dir" ] && [ ! -L "$dir" ] || continue
  case $dir in
  /bin | /sbin | /lib* | /usr | /etc | /var | /proc | /sys | /boot | /lost+found) continue ;;
  esac
  mkdir -p ".$dir"
  mount --rbind "$dir" ".$dir"
done
go=$(cat "$state/go")
case $go in
/usr/*) mkdir -p ".$go" && mount --rbind "$go" ".$go" ;;
esac
# The overlay itself was bound along with the folder it lies in.
[ ! -e ".$state/new" ] || umount -l ".$state/new"

mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t securityfs securityfs sys/kernel/security 2>/dev/null || :
pivot_root . .old
cd /
. "/.old$state/cgroups.mount"
umount -l /.old
rmdir /.old
ip link set lo up

echo "ready $outer"
exec </dev/null >/dev/null 2>&1
# The loop reaps: a dead containerd left as a zombie would stop the next engine.
while :; do
  sleep 3600 &
  wait
done
