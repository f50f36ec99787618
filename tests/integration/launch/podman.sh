#!/bin/bash
# Podman's API service, started by rootless-setup launch, and its namespaces by run and shell.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

command -v podman >/dev/null || skip_all "no podman"
use_programs
use_network
make_user podman
state=$runtime/libpod # nothing of rootlesskit's
# A cgroup of one's own is what this user has not, and crun refuses a mixture of v1 and v2.
as_user mkdir -p "$home/.config/containers"
printf '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n' >"$home/.config/containers/containers.conf"

socket=$runtime/podman/podman.sock
ping() { as_user curl -sS --max-time 5 --unix-socket "$socket" http://d/_ping; }
pings() { [ "$(ping)" = OK ]; }
ok "podman system service answers" start podman pings
make_rootfs "$work/rootfs" page
tar -C "$work/rootfs" -cf "$work/rootfs.tar" .
chmod 644 "$work/rootfs.tar"
podman() { as_user podman --url "unix://$socket" "$@"; }
ok "a client imports an image by it" podman import -q "$work/rootfs.tar" image
run podman run --rm --network=host image id -u
is "and runs a container" "$out" 0
[ "$rc" -eq 0 ] || note "$err"
run launch podman
is "a second one does not start" "$rc" 1
like "and says why, in one line" "$err" "^rootless-setup: Podman already runs for you: it answers at ${socket}[^"$'\n'"]*$"
ok "the first one still answers" pings
ok "SIGTERM ends it" stop
ok "it leaves no service" wait_for 10 sh -c "! pgrep -u $uid -f 'system service'"
[ "$rc" -eq 0 ] || note "$(pgrep -u "$uid" -a -f 'system service')"

if command -v systemd-socket-activate >/dev/null; then
    rm -f "$socket"
    start_as_user systemd-socket-activate -E HOME -E XDG_RUNTIME_DIR -l "$socket" \
        rootless-setup launch podman >"$work/log" 2>&1
    wait_for 10 test -S "$socket"
    ok "a passed socket reaches it" wait_for 30 pings
    [ "$rc" -eq 0 ] || note "$(tail "$work/log")"
    stop
else
    skip "a passed socket reaches it" "systemd-socket-activate is not installed"
fi
run launch --net=pasta podman
is "an option of rootlesskit's is a usage error" "$rc" 2
like "that says why" "$err" "--net cannot be used with Podman, which makes its namespaces and networks itself"
run launch --dry-run podman -- --log-level debug
like "--dry-run" "$out" "podman system service --time=0 --log-level debug$"

# shellcheck disable=SC2016 # for the shell inside
is "run --engine podman: as root" "$(run_in podman sh -c 'id -u; stat -c %u "$HOME"' | xargs)" "0 0"
run run_in podman sh -c 'exit 9'
is "with the command's status" "$rc" 9
done_testing
