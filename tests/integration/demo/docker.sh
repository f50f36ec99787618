#!/bin/bash
# README's first command, from the user on: Docker from Debian's package, rootless, twice.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

[ -x /usr/bin/dockerd ] || [ -x /usr/sbin/dockerd ] || skip_all "no docker.io"
use_programs
# What the demo would leave behind if it were killed stays in here.
mkdir "$work/home" "$work/run"
mount --bind "$work/home" /home
mkdir -p /run/user
mount --bind "$work/run" /run/user

for time in first second; do
    ok "the demo runs the $time time" "$SOURCE_ROOT/tests/demo/docker" "$work"
    like "a page came through the published port" "$out" 'curl http://127.0.0.1:[0-9]+/ -> hello'
    like "it says how to do that by hand" "$out" 'rootless-setup subid add'
done
is "its user is gone" "$(getent passwd rootless-demo || true)" ""
is "so are his sub-ids" "$(grep -h rootless-demo /etc/subuid /etc/subgid || true)" ""
is "no process is left" "$(pgrep -l docker; pgrep -l rootless; pgrep -l containerd || true)" ""
done_testing
