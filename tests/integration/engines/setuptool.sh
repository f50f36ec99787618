#!/bin/bash
# dockerd-rootless-setuptool.sh of Debian's docker.io: its checks and steps, with our programs in the
# folder where it finds Docker's.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

contrib=/usr/share/docker.io/contrib
[ -x $contrib/dockerd-rootless-setuptool.sh ] || skip_all "no docker.io"
use_programs
use_network
# It takes all from one folder.
ln -s $contrib/*.sh /usr/bin/docker "$bin/"
make_user setup none
docker() { as_user /usr/bin/docker "$@"; }
setup() { as_user dockerd-rootless-setuptool.sh --skip-iptables "$@" </dev/null; }

run setup check
is "without sub-ids it is not satisfied" "$rc" 1
like "and says which are missing" "$out" "rltest-setup:100000:65536.*/etc/subuid"
ok "ranges of rootless-setup's" rootless-setup subid add rltest-setup
run setup check
like "then it is" "$out" "Requirements are satisfied"

run setup install
is "install" "$rc" 0
like "it has no systemd here, and says how to start" "$out" "dockerd-rootless.sh needs to be started manually"
command=$(sed -n 's/^PATH=.*dockerd-rootless.sh/dockerd-rootless.sh/p' <<<"$out")
is "docker's context is its" "$(docker context show 2>/dev/null || docker context ls --format '{{if .Current}}{{.Name}}{{end}}' | xargs)" rootless

# What it says to run, as a user would type it.
start_as_user sh -c "exec $command" >"$work/docker.log" 2>&1
ok "what it says to start answers in its context" wait_for 30 docker version
[ "$rc" -eq 0 ] || note "$(tail "$work/docker.log")"
like "Docker says that it is rootless" "$(docker info --format '{{.SecurityOptions}}')" rootless
make_rootfs "$work/rootfs" page
touch "$work/rootfs/tmp/file"
chown -R 1000:1000 "$work/rootfs/tmp"
tar -C "$work/rootfs" -c . | docker import - image >/dev/null
is "a container runs" "$(docker run --rm image id -u)" 0
kill -TERM "$pid"
wait "$pid" || true

run setup uninstall
is "uninstall" "$rc" 0
# shellcheck disable=SC2016 # its own quotes
command=$(sed -n 's/.*To remove data, run: `\(.*\)`.*/\1/p' <<<"$out")
like "it says how to remove the data" "$command" "rootlesskit rm -rf $home"
is "the context is gone" "$(docker context ls --format '{{.Name}}' | xargs)" default
fails "the user himself cannot remove files of his sub-ids" as_user rm -rf "$home/.local/share/docker"
# shellcheck disable=SC2086 # words
ok "what it says to run can" as_user $command
ok "and all of it is gone" test ! -e "$home/.local/share/docker"
done_testing
