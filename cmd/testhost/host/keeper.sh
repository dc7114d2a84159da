# Keeps one isolated host: starts its namespaces, waits until whoever asked for
# them is gone, then removes every trace. It runs as `sh -c THIS keeper STATE`,
# in a session of its own, with the reading end of a pipe as descriptor 3: the
# other end closes by itself when the owner dies, however it dies. A line in the
# pipe cuts the power: the host starts again on the same files.
state=$1
trap '' HUP INT TERM QUIT PIPE
umask 022

start() {
  setpriv --pdeathsig KILL \
    unshare --mount --pid --ipc --uts --fork --kill-child=KILL \
    sh "$state/namespace.sh" "$state" 3<&- 4<&- &
  top=$!
}

# Ending its PID 1 ends every process of the host; unshare then reaps it and ends.
end() {
  kill -KILL "$(cat "$state/pid" 2>/dev/null || echo $top)" 2>/dev/null
  # A frozen process (of a paused container) dies only when it thaws.
  while read -r dir; do
    find "$dir" -depth \( -name freezer.state -exec sh -c 'echo THAWED >"$1"' - {} \; -o -name cgroup.freeze -exec sh -c 'echo 0 >"$1"' - {} \; \) 2>/dev/null
  done <"$state/cgroups.made" 2>/dev/null
  wait $top 2>/dev/null
}

# What systemd and the engine divided their control groups into goes with the power.
empty() {
  for _ in $(seq 200); do
    left=0
    while read -r dir; do
      find "$dir" -mindepth 1 -depth -type d ! -path "$dir/processes" -exec rmdir {} + 2>/dev/null
      [ -z "$(find "$dir" -mindepth 1 -type d ! -path "$dir/processes" 2>/dev/null)" ] || left=1
      # In version 2, no process may enter a group whose children are controlled.
      for c in $(cat "$dir/cgroup.subtree_control" 2>/dev/null); do
        echo "-$c" >"$dir/cgroup.subtree_control"
      done 2>/dev/null
    done <"$state/cgroups.made"
    [ $left = 1 ] || return
    sleep 0.05
  done
}

start
while read -r _ <&3; do
  end
  rm -f "$state/pid"
  empty
  start
done
end

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
