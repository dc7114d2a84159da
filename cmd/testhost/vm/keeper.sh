# Keeps one virtual machine: starts it, waits until whoever asked for it is gone, then
# ends it and removes its files. It runs as `sh -c THIS keeper DIRECTORY PROGRAM...`, in
# a session of its own, with the reading end of a pipe as descriptor 3: the other end
# closes by itself when the owner dies, however it dies.
dir=$1
shift
trap '' HUP INT TERM QUIT PIPE
# The program dies with the shell around it, which writes down how it ended by itself.
(
  setpriv --pdeathsig KILL "$@" </dev/null >"$dir/qemu.log" 2>&1
  echo $? >"$dir/ended"
) 3<&- &
machine=$!
read -r _ <&3
kill -KILL $machine 2>/dev/null
wait $machine 2>/dev/null
rm -rf --one-file-system "$dir"
