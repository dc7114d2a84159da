# Lays an overlay of the host over an unpacked Debian and steps into it; read by the
# scripts that then make it the root. The engine's data lies on the disk of $state.
new=$state/new
mkdir -p "$new" "$state/up" "$state/work"
chmod 0755 "$state/up"
mount -t overlay overlay -o "lowerdir=$(cat "$state/root"),upperdir=$state/up,workdir=$state/work" "$new"
cd "$new"
mkdir -p .old var/lib/docker-harden
for name in docker containerd docker-harden; do
  mkdir -p "$state/data/$name" "var/lib/$name"
  mount --bind "$state/data/$name" "var/lib/$name" # an engine cannot stack its overlays on ours
done
chmod 0700 "$state/data/docker-harden"
[ -s "$state/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >"$state/machine-id"
cp "$state/machine-id" etc/machine-id # the same after a power loss
cp "$state/hostname" etc/hostname
hostname "$(cat "$state/hostname")"
