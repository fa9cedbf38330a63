#!/bin/sh
# Stands in the place of git, for what git starts as well: counts the file-related system calls of its processes, or
# pauses or kills one of them. Beside it: `mode`, `target` (subcommand and turn, such as receive-pack.1), `when`, `calls`.
dir=${0%/*}
dir=${dir%/core}
read -r mode <"$dir/mode"
read -r real <"$dir/real"
export GIT_EXEC_PATH="$dir/core"
[ "$mode" = off ] && exec "$real" "$@"
name=
skip=
for word in "$@"; do
  if [ -n "$skip" ]; then skip=; continue; fi
  case "$word" in
    -c | -C) skip=1 ;;
    -*) ;;
    *) name=$word; break ;;
  esac
done
read -r calls <"$dir/calls"
turn=1
until mkdir "$dir/seen/$name.$turn" 2>/dev/null; do turn=$((turn + 1)); done
[ "$mode" = count ] && exec strace -qq -s 200 -e "trace=$calls" -o "$dir/seen/$name.$turn/calls" "$real" "$@"
[ "$mode" = watch ] && exec "$real" "$@"
read -r target <"$dir/target"
[ "$target" = "$name.$turn" ] || exec "$real" "$@"
if [ "$mode" = pause ]; then
  echo $$ >"$dir/paused"
  kill -STOP $$
  exec "$real" "$@"
fi
read -r when <"$dir/when"
inject="inject=$calls:signal=KILL:when=$when"
[ "$mode" = one ] && exec strace -qq -e "trace=$calls" -e "$inject" -o "$dir/fired" "$real" "$@"
strace -qq -e "trace=$calls" -e "$inject" -o "$dir/fired" "$real" "$@"
code=$?
[ "$code" = 137 ] && kill -9 0
exit "$code"
