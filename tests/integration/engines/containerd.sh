#!/bin/bash
# containerd of Debian's package, started and entered as nerdctl does, without and with --detach-netns.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

for program in containerd ctr runc; do
    command -v "$program" >/dev/null || skip_all "no $program"
done
use_programs
use_network
serve_pages
make_user containerd
state=$runtime/containerd-rootless

# What nerdctl's script does as root of the namespace: places of the machine's become the user's.
cat >"$work/inside" <<'END'
#!/bin/sh
set -e
rm -f /run/containerd /run/nri /run/xtables.lock /var/lib/containerd /var/lib/cni /etc/containerd
ssl=$(realpath /etc/ssl)
rm -f /etc/ssl
mkdir /etc/ssl
mount --rbind "$ssl" /etc/ssl
own() {
    mkdir -p "$1" "$2"
    mount --bind "$1" "$2"
}
own "$XDG_RUNTIME_DIR/containerd" /run/containerd
own "$HOME/.local/share/containerd" /var/lib/containerd
own "$HOME/.local/share/cni" /var/lib/cni
own "$HOME/.config/containerd" /etc/containerd
exec containerd "$@"
END
chmod 755 "$work/inside"

# start_containerd NET FLAG...: by nerdctl's command line
start_containerd() {
    local net=$1
    shift
    start_as_user rootlesskit --state-dir="$state" --net="$net" --mtu=65520 \
        --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto --disable-host-loopback \
        --port-driver=builtin --copy-up=/etc --copy-up=/run --copy-up=/var/lib --propagation=rslave \
        "$@" "$work/inside" >"$work/containerd.log" 2>&1
    kit=$pid
    wait_for 20 enter ctr version
}
# enter COMMAND...: as nerdctl enters from outside; "network" is (-n), or empty with --detach-netns
enter() {
    as_user nsenter -w"$home" --preserve-credentials -m -U -t "$(cat "$state/child_pid")" -F \
        "${network[@]}" env ROOTLESSKIT_STATE_DIR="$state" "$@"
}
stop_containerd() {
    kill -TERM "$kit"
    wait "$kit" || true
}
# Without a cgroup and limits: with cgroup v1 the user has none to give.
container() { enter ctr run --rm --cgroup= --cpu-shares 0 "$@"; }
page_of() { get "127.0.0.1:$port"; }
answers() { [ "$(page_of)" = page ]; }

make_rootfs "$work/rootfs" page
chown -R 1000:1000 "$work/rootfs/tmp"
image=docker.io/library/image:latest
make_archive "$work/rootfs" $image "$work/image.tar"
# serve NAME CONTAINER-OPTION...: in the background a container that serves the page, and a published port
serve() {
    local name=$1
    shift
    port=$(free_port)
    container "$@" $image "$name" httpd -f -p 80 -h /www >/dev/null 2>&1 &
    as_user rootlessctl --socket "$state/api.sock" add-ports "127.0.0.1:$port:80/tcp" >/dev/null
}
unserve() { enter ctr task kill --signal KILL "$1" || true; }

snapshotters=overlayfs
for net in slirp4netns gateway; do
    network=(-n)
    ok "$net: containerd answers" start_containerd $net
    [ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/containerd.log")"
    [ $net != gateway ] || snapshotters="overlayfs native"
    for snapshotter in $snapshotters; do
        ok "$net: ctr imports, $snapshotter" \
            enter ctr image import --snapshotter "$snapshotter" "$work/image.tar"
        run container --snapshotter "$snapshotter" $image one-$net sh -c 'id -u; ls -ldn /tmp'
        like "and runs as root; files keep their owners" "$out" '^0.* 1000 +1000 '
    done
    run container --net-host $image out-$net wget -qO- "http://$remote:8000/"
    is "$net: out to a remote server" "$out" remote
    serve web-$net --net-host
    ok "$net: a published port" wait_for 30 answers
    unserve web-$net
    stop_containerd
    ok "$net: nothing of it is left" wait_for 10 sh -c "! pgrep -u $uid"

    network=()
    ok "$net, --detach-netns: containerd answers" start_containerd $net --detach-netns
    [ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/containerd.log")"
    run enter ip addr show
    like "$net: its network is the machine's" "$out" "$machine"
    isolated=(--with-ns "network:$state/netns")
    run container "${isolated[@]}" $image in-$net wget -qO- "http://$remote:8000/"
    is "$net: out from the detached network" "$out" remote
    serve detached-$net "${isolated[@]}"
    ok "$net: a published port leads into it" wait_for 30 answers
    unserve detached-$net
    stop_containerd
done
done_testing
