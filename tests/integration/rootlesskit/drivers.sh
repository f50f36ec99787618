#!/bin/bash
# The network drivers that are programs of others: pasta and slirp4netns, attached and detached, and --net=auto.
# PASTA=PATH tries another pasta.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user drivers
pasta=${PASTA:-pasta}
before=$(namespaces)

listen() { # MODE ADDRESS: serves it in $port
    port=$(free_port)
    python3 "$work/tcp.py" "$1" "$2" "$port" &
    wait_for 10 sh -c "ss -ltnH 'sport = :$port' | grep -q ."
}
first="python3 $work/tcp.py first"
listen hello 127.0.0.1
hello=$port
host_ip=$(ip -4 -o route get 192.0.2.200 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
[ -z "$host_ip" ] || listen hello "$host_ip"
python3 "$work/dns.py" 127.0.0.111 192.0.2.111 &
wait_for 20 dig +short +time=1 +tries=1 @127.0.0.111 a.example
printf 'search rltest.example\nnameserver 127.0.0.111\n' >/etc/resolv.conf

for driver in pasta slirp4netns; do
    binary=$driver
    [ $driver = slirp4netns ] || binary=$pasta
    if ! command -v "$binary" >/dev/null; then
        skip "$driver" "it is not installed"
        continue
    fi
    kit() { as_user rootlesskit --net="$driver" "--$driver-binary=$binary" "$@"; }
    for mode in "" --detach-netns; do
        # shellcheck disable=SC2016 # for the shell inside
        enter=${mode:+'nsenter -n"$ROOTLESSKIT_STATE_DIR/netns"'}
        name="$driver${mode:+ $mode}"
        # shellcheck disable=SC2086 # words, here and below
        run kit $mode --mtu=1400 --ifname=net7 --cidr=10.7.8.0/24 \
            sh -c "$enter ip -br addr show net7; $enter ip route show default; $enter ip link show net7; $enter ip -br addr show lo"
        like "$name: address and name as asked" "$out" "^net7 .* 10.7.8.100/24"
        like "$name: default route" "$out" "default via 10.7.8.2"
        like "$name: MTU as asked" "$out" "mtu 1400"
        like "$name: a loopback" "$out" "lo .*127.0.0.1/8"
        is "$name: not a word but the warning about the loopback" "$(grep -vc -e --disable-host-loopback <<<"$err")" 0
        run kit $mode sh -c "$enter $first 10.0.2.2 $hello; $enter dig +short +time=3 +tries=1 @10.0.2.3 a.example"
        is "$name: the host's loopback is the gateway's address, DNS answers" "$out" $'hello\n192.0.2.111'
        run kit $mode --disable-host-loopback sh -c "$enter timeout 2 $first 10.0.2.2 $hello;
            $enter $first 127.0.0.1 $hello; $enter $first 127.8.8.8 $hello; $enter $first 0.0.0.0 $hello"
        unlike "$name: nowhere with --disable-host-loopback" "$out" hello
        if [ -n "$host_ip" ]; then
            run kit $mode --disable-host-loopback sh -c "$enter $first $host_ip $port"
            is "$name: an address of the host's" "$out" hello
        fi
        # shellcheck disable=SC2086
        start_kit --net=$driver "--$driver-binary=$binary" $mode sleep 1000
        like "$name: info" "$(ctl info)" "Network Driver: $driver.*10.0.2.3.*10.0.2.100"
        is "$name: child IP, not dynamic" "$(ctl info --json | python3 -c 'import json,sys; n=json.load(sys.stdin)["networkDriver"]; print(n["childIP"], n["dns"], n.get("dynamicChildIP", False))')" \
            "10.0.2.100 ['10.0.2.3'] False"
        is "$name: nothing half-made in the state directory" "$(find "$state" -name '.*')" ""
        helper=$(pgrep -P "$kit" -f "^$binary ")
        kill -KILL "$helper"
        status=0
        wait "$kit" || status=$?
        is "$name: its death ends the instance" "$status" 1
        is "$name: with one line" "$(grep -v -e --disable-host-loopback "$work/kit.log")" "[rootlesskit:parent] error: $driver ended unexpectedly"
        ok "$name: then all is gone" wait_for 5 family_gone
        # shellcheck disable=SC2086
        start_kit --net=$driver "--$driver-binary=$binary" $mode sleep 1000
        kill -KILL "$kit"
        wait "$kit" 2>/dev/null || true
        ok "$name: SIGKILL of the parent leaves no process" wait_for 5 family_gone
        is "$name: no namespace" "$(namespaces)" "$before"
    done
    run kit --copy-up=/etc cat /etc/resolv.conf
    is "$driver: resolv.conf" "$out" $'nameserver 10.0.2.3\nsearch rltest.example'
    run kit --copy-up=/etc getent hosts some.example
    like "$driver: libc resolves" "$out" "192.0.2.111 +some.example"
    run kit --copy-up=/etc tail -n 2 /etc/hosts
    is "$driver: hosts" "$out" "127.0.0.1 $(hostname)"$'\n'"::1 $(hostname)"
    # shellcheck disable=SC2016
    run kit --ipv6 sh -c 'n=0; while [ $n -lt 60 ] && ! ip -6 -br addr show tap0 | grep fd; do n=$((n+1)); sleep 0.1; done'
    is "$driver --ipv6: starts" "$rc" 0
    like "$driver --ipv6: an address" "$out" "fd[0-9a-f]*:"
    run as_user rootlesskit --net=$driver "--$driver-binary=no-such-program" true
    is "$driver missing: refused" "$rc" 1
    like "$driver missing: one line that says what to install" "$(tail -n 1 <<<"$err")" "^[^"$'\n'"]*no-such-program is not installed: install the package[^"$'\n'"]*rootless-setup check[^"$'\n'"]*$"
    printf '#!/bin/sh\necho some chatter\necho "no such luck" >&2\nexit 3\n' >"$work/broken"
    chmod 755 "$work/broken"
    run as_user rootlesskit --net=$driver "--$driver-binary=$work/broken" true
    like "$driver fails: its last words" "$(tail -n 1 <<<"$err")" "^[^"$'\n'"]*broken failed: no such luck \(exit status 3\)[^"$'\n'"]*$"
    ok "$driver fails: nothing is left" wait_for 5 family_gone
done
is "no state directory is left" "$(state_dirs)" ""

if command -v slirp4netns >/dev/null; then
    run as_user rootlesskit --net=slirp4netns --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto \
        sh -c "$first 10.0.2.2 $hello"
    is "slirp4netns isolated as far as it can" "$out" hello
    start_kit --net=slirp4netns --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto sleep 1000
    helper=$(pgrep -u "$user" -x slirp4netns)
    like "it has its filter" "$(grep ^Seccomp: "/proc/$helper/status")" "2"
    isnt "and its sandbox" "$(readlink "/proc/$helper/ns/mnt")" "$(readlink /proc/self/ns/mnt)"
    stop_kit
    # shellcheck disable=SC2016
    printf '#!/bin/sh\ncase "$*" in *--enable-s*) echo "unrecognized option" >&2; exit 1;; esac\nexec slirp4netns "$@"\n' >"$work/old-slirp4netns"
    chmod 755 "$work/old-slirp4netns"
    run as_user rootlesskit --net=slirp4netns --slirp4netns-binary="$work/old-slirp4netns" \
        --slirp4netns-sandbox=auto --slirp4netns-seccomp=auto sh -c "$first 10.0.2.2 $hello"
    is "an old one goes without" "$out" hello
    run as_user rootlesskit --net=slirp4netns --slirp4netns-binary="$work/old-slirp4netns" --slirp4netns-seccomp=true true
    is "but not where it was insisted on" "$rc" 1
fi

if command -v "$pasta" >/dev/null; then
    # shellcheck disable=SC2016
    in_port=$(free_port)
    start_kit --net=pasta --pasta-binary="$pasta" --port-driver=implicit -p "127.0.0.1:$in_port:$in_port/tcp" \
        python3 "$work/tcp.py" hello 0.0.0.0 "$in_port"
    reached() { [ "$($first 127.0.0.1 "$in_port")" = hello ]; }
    ok "implicit: what the child listens on is published" wait_for 20 reached
    unlike "implicit: the API has no port driver" "$(ctl info)" "Port Driver"
    run ctl add-ports "127.0.0.1:$in_port:$in_port/tcp"
    like "implicit: nor ports" "$err" "no PortDriver is available"
    stop_kit
    start_kit --net=pasta --pasta-binary="$pasta" --port-driver=builtin -p "127.0.0.1:$in_port:$in_port/tcp" \
        sh -c "sleep 2; exec python3 $work/tcp.py hello 0.0.0.0 $in_port"
    ok "builtin: pasta leaves the same port free inside" wait_for 20 reached
    stop_kit
fi

# --net=auto
run as_user rootlesskit --net=auto sh -c "ip -br addr show tap0; $first 10.0.2.2 $hello"
like "auto: takes the gateway" "$out" "^tap0@.*10.0.2.100/24.*hello"
is "auto: without another word" "$(grep -vc -e --disable-host-loopback <<<"$err")" 0
chmod 600 /dev/net/tun
run as_user rootlesskit --net=auto true
is "auto: without /dev/net/tun nothing works" "$rc" 1
is "auto: one error" "$(grep -c error: <<<"$err")" 1
like "auto: with every reason" "$(tail -n 1 <<<"$err")" "error: failed to setup network auto: none of its drivers works here: gateway: .*chmod 0666 /dev/net/tun.*; pasta: .*; slirp4netns: "
chmod 666 /dev/net/tun
# As in many containers. The gateway needs to set some, the others do not.
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro /proc/sys/net
for driver in pasta slirp4netns; do
    if ! command -v $driver >/dev/null; then
        skip "auto: $driver" "it is not installed"
        continue
    fi
    option=
    [ $driver = pasta ] || option=--pasta-binary=no-such-program
    # shellcheck disable=SC2086
    start_kit --net=auto $option --disable-host-loopback sleep 1000
    like "auto: $driver comes next" "$(ctl info)" "Network Driver: $driver"
    like "auto: with one line that says why" "$(cat "$work/kit.log")" "^[^"$'\n'"]*warning: --net=auto takes $driver, because gateway: [^"$'\n'"]*/proc/sys/net[^"$'\n'"]*Read-only file system[^"$'\n'"]*$"
    is "auto: its interface" "$(as_user nsenter -U -n --preserve-credentials -t "$(cat "$state/child_pid")" ip -br addr show tap0 | awk '{print $3}')" 10.0.2.100/24
    stop_kit
done
umount /proc/sys/net
done_testing
