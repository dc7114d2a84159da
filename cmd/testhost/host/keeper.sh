# Keeps one isolated host: starts its namespaces, waits until whoever asked for
# them is gone, then removes every trace. It runs as `sh -c THIS keeper STATE`,
# in a session of its own, with the reading end of a pipe as descriptor 3: the
# other end closes by itself when the owner dies, however it dies.
state=$1
trap '' HUP INT TERM QUIT PIPE
umask 022

setpriv --pdeathsig KILL \
  unshare --mount --pid --ipc --uts --fork --kill-child=KILL \
  sh "$state/namespace.sh" "$state" 3<&- 4<&- &
top=$!
exec >/dev/null

read -r _ <&3
# Ending its PID 1 ends every process of the host; unshare then reaps it and ends.
kill -KILL "$(cat "$state/pid" 2>/dev/null || echo $top)" 2>/dev/null
# A frozen process (of a paused container) dies only when it thaws.
while read -r dir; do
  find "$dir" -depth \( -name freezer.state -exec sh -c 'echo THAWED >"$1"' - {} \; -o -name cgroup.freeze -exec sh -c 'echo 0 >"$1"' - {} \; \) 2>/dev/null
done <"$state/cgroups.made" 2>/dev/null
wait $top 2>/dev/null

# Dying processes hold their cgroup a little longer than their parent waits.
left=0
for _ in $(seq 200); do
  left=0
  while read -r dir; do
    [ -d "$dir" ] || continue
    find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null
    [ -d "$dir" ] && left=1
  done <"$state/cgroups.made"
  [ $left = 0 ] && break
  sleep 0.05
done
[ $left = 0 ] || echo "control groups of $state are still in use" >&2
rm -rf --one-file-system "$state" || left=1
exit $left
