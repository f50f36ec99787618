#!/bin/bash
# containerd of Debian's package, started by rootless-setup launch: the places that nerdctl looks at.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

for program in containerd ctr runc; do
    command -v "$program" >/dev/null || skip_all "no $program"
done
use_programs
use_network
serve_pages
# What root's containerd leaves on a machine, and what its user must not meet.
mkdir -p /etc/containerd
echo 'version = "root"' >/etc/containerd/config.toml
make_user containerd
state=$runtime/containerd-rootless

make_rootfs "$work/rootfs" page
image=docker.io/library/image:latest
make_archive "$work/rootfs" $image "$work/image.tar"
answers() { run_in containerd ctr version; }
# Without a cgroup and limits: with cgroup v1 the user has none to give.
container() { run_in containerd ctr run --rm --cgroup= --cpu-shares 0 "$@"; }

for detached in true false; do
    env_user=("CONTAINERD_ROOTLESS_ROOTLESSKIT_DETACH_NETNS=$detached")
    ok "containerd answers (detached: $detached)" start containerd answers
    for place in "$runtime/containerd /run/containerd" "$home/.local/share/containerd /var/lib/containerd" \
        "$home/.local/share/cni /var/lib/cni" "$home/.config/containerd /etc/containerd"; do
        # shellcheck disable=SC2086 # two words
        set -- $place
        is "${2} is the user's" "$(inside stat -c %i "$2")" "$(stat -c %i "$1")"
    done
    ok "its socket is where clients of the host see it" test -S "$runtime/containerd/containerd.sock"
    ok "an image is imported" run_in containerd ctr image import --snapshotter overlayfs "$work/image.tar"
    network=(--net-host)
    [ $detached = false ] || network=(--with-ns "network:$state/netns")
    is "a container runs as root, and reaches out" \
        "$(container "${network[@]}" --snapshotter overlayfs $image one-$detached sh -c "id -u; wget -qO- http://$remote:8000/" | xargs)" "0 remote"
    port=$(free_port)
    as_user rootlessctl --socket "$state/api.sock" add-ports "127.0.0.1:$port:80/tcp" >/dev/null
    container "${network[@]}" --snapshotter overlayfs $image web-$detached httpd -f -p 80 -h /www >"$work/web" 2>&1 &
    ok "a published port answers" wait_for 30 gives "127.0.0.1:$port" page
    [ "$rc" -eq 0 ] || note "$(cat "$work/web")"
    run_in containerd ctr task kill --signal KILL web-$detached || true
    # The host's network, or the containers'.
    host_side=$(run_in containerd ip -o link)
    if [ $detached = true ]; then
        like "run: it is in the host's network" "$host_side" cable0
        like "run --detached-network: in the containers'" \
            "$(as_user rootless-setup run --engine containerd --detached-network -- ip -o link)" tap0
    else
        like "run: it is in the engine's network" "$host_side" tap0
    fi
    # What nerdctl does from outside finds all it needs.
    is "nerdctl's way in leads there too" "$(as_user nsenter -w"$home" --preserve-credentials -m -U \
        -t "$(cat "$state/child_pid")" -F stat -c %i /run/containerd)" "$(stat -c %i "$runtime/containerd")"
    ok "SIGTERM ends it" stop
    is "with its status" "$status" 0
    nothing_left "SIGTERM (detached: $detached)"
done
is "root's configuration is as it was" "$(cat /etc/containerd/config.toml)" 'version = "root"'
done_testing
