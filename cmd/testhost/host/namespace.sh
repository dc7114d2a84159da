# Runs as PID 1 of fresh namespaces that still have the machine's network: enters
# the host's own control groups, then hands over to inner.sh in a new network and
# control group namespace.
set -eu
state=$1

# The old /proc still tells the PID that the machine knows this process by.
read -r outer _ </proc/self/stat
echo "$outer" >"$state/pid"
while read -r file; do
  echo 0 >"$file"
done <"$state/cgroups.enter"
mount --make-rprivate /
# Copies of another engine's mounts would keep it from removing its containers.
awk '$5 ~ "^(/var/lib/docker|/var/lib/containerd|/run/docker|/run/containerd)(/|$)" {print $5}' \
  /proc/self/mountinfo | sort -r | while read -r dir; do umount -l "$dir" || :; done
cp -L /etc/resolv.conf "$state/resolv.conf" 2>/dev/null || : >"$state/resolv.conf"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 1777 /run/lock
mkdir -m 0700 /run/testhost
# Only the building of images uses this, because packages must be fetched.
: >/run/testhost/machine-net
mount --bind /proc/self/ns/net /run/testhost/machine-net
cp "$state/suite" /run/testhost/machine-suite
cp "$state/release" /run/testhost/release
exec unshare --net --cgroup sh "$state/inner.sh" "$state" "$outer"
