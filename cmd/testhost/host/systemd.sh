# Enters an unpacked Debian as the root of a host and becomes its systemd.
set -eu
state=$1
outer=$2
. "$state/debian.sh"

mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t securityfs securityfs sys/kernel/security 2>/dev/null || :
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do
  : >dev/$node
  mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
ip link set lo up
pivot_root . .old
cd /
. "/.old$state/cgroups.mount"
unified=0
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || unified=1
umount -l /.old
rmdir /.old
# The engine asks its firewall dozens of times at every start: the older tools answer in half the time.
for name in iptables ip6tables; do
  if $name-legacy -t nat -L -n >/dev/null 2>&1; then ln -sf /usr/sbin/$name-legacy /etc/alternatives/$name; fi
done
echo "ready $outer"
# The variables keep systemd from mixing both versions of control groups.
exec env -i container=testhost PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  SYSTEMD_PROC_CMDLINE="systemd.unified_cgroup_hierarchy=$unified systemd.legacy_systemd_cgroup_controller=1 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1" \
  /sbin/init </dev/null >/dev/null 2>&1
