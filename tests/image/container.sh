#!/bin/sh
# A container without a daemon: container.sh ROOT COMMAND..., as root, under `unshare --mount`.
# The root file system is bound read-only and the command runs as nobody, in its place, as ECS would run it.
# What the image sets in its environment is in IMAGE_ENV, one setting a word.
set -e
root=$1
shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc -o ro,nosuid,nodev,noexec proc "$root/proc"
# shellcheck disable=SC2086  # words on purpose
exec chroot --userspec=65534:65534 "$root" /usr/bin/env -C /opt/relay/app -u PYTHONPATH -u IMAGE_ENV $IMAGE_ENV "$@"
