#!/bin/sh
# Runs a command as a container does: as process 1, with nothing in its environment but what is given, and with
# a root file system that is read-only. /run and /var/lib hold nothing but the mounts.
#
#   container.sh DIRECTORY [SOURCE:TARGET:ro|SOURCE:TARGET:rw]... -- [NAME=VALUE]... COMMAND [ARGUMENT]...
exec unshare --user --map-root-user --mount --pid --fork --kill-child sh -ec '
  directory=$1
  shift
  for place in /run /var/lib; do mount -t tmpfs tmpfs "$place"; done
  while [ "$1" != -- ]; do
    source=${1%%:*}
    target=${1#*:}
    mode=${target#*:}
    target=${target%:*}
    mkdir -p "$target"
    mount --bind "$source" "$target"
    if [ "$mode" = ro ]; then mount -o remount,ro,bind "$target"; fi
    shift
  done
  shift
  for place in /run /var/lib /; do mount -o remount,ro,bind "$place"; done
  cd "$directory"
  exec env -i "$@"
' container "$@"
