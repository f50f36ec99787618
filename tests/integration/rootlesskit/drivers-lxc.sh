#!/bin/bash
# --net=lxc-user-nic: LXC's setuid program, a bridge and dnsmasq as its DHCP server, in a network namespace of the
# test's own. Debian's packages are unpacked for it where they are not installed.
set -eu
if [ "$(id -u)" -eq 0 ] && [ -z "${RLTEST_LXC:-}" ]; then
    packages=$(mktemp -d /var/tmp/rltest-lxc.XXXXXX)
    trap 'rm -rf "$packages"' EXIT
    chmod 755 "$packages"
    (
        cd "$packages"
        apt-get -o APT::Sandbox::User=root -qq download lxc liblxc-common liblxc1 dnsmasq-base libnetfilter-conntrack3 libnfnetlink0
        for package in *.deb; do dpkg -x "$package" .; done
    ) >/dev/null 2>&1 || true
    status=0
    RLTEST_LXC=$packages unshare --net bash "$0" "$@" || status=$?
    exit "$status"
fi
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

nic=$(find "$RLTEST_LXC" /usr/libexec/lxc /usr/lib/*/lxc /usr/lib/lxc -name lxc-user-nic -type f -perm /111 2>/dev/null | head -n 1)
dnsmasq=$(command -v dnsmasq || find "$RLTEST_LXC" -name dnsmasq -type f -perm /111 | head -n 1)
[ -n "$nic" ] || skip_all "lxc-user-nic is not installed and cannot be fetched"
[ -n "$dnsmasq" ] || skip_all "dnsmasq is not installed and cannot be fetched"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user lxc

# The test's own: /etc is a copy, /run is empty, /sys shows this network namespace.
mount -t tmpfs -o mode=755 rltest-run /run
mkdir "$work/cgroup"
mount --rbind /sys/fs/cgroup "$work/cgroup"
mount -t sysfs rltest-sys /sys
mount --rbind "$work/cgroup" /sys/fs/cgroup
mkdir /run/lxc
find "$RLTEST_LXC" -name '*.so.*' -printf '%h\n' | sort -u >/etc/ld.so.conf.d/rltest.conf
ldconfig
install -m 4755 "$nic" "$work/lxc-user-nic"
ip link set lo up
ip link add rlbr0 type bridge
ip addr add 10.99.0.1/24 dev rlbr0
ip link set rlbr0 up
serve_dhcp() {
    "$dnsmasq" --keep-in-foreground --conf-file=/dev/null --interface=rlbr0 --except-interface=lo --bind-interfaces \
        --user=root --pid-file= --no-resolv --no-hosts --address=/a.example/192.0.2.111 --no-ping \
        --dhcp-range=10.99.0.50,10.99.0.90,255.255.255.0,120 --dhcp-leasefile="$work/leases" --log-facility="$work/dnsmasq.log" \
        --dhcp-authoritative --log-dhcp &
    server=$!
    wait_for 10 sh -c "ss -lunH 'sport = :67' | grep -q ."
}
nic_options=(--net=lxc-user-nic "--lxc-user-nic-binary=$work/lxc-user-nic" --lxc-user-nic-bridge=rlbr0)
kit() { as_user rootlesskit "${nic_options[@]}" "$@"; }

rm -rf /etc/lxc
run kit true
is "no lxc-usernet: refused" "$rc" 1
like "no lxc-usernet: one line that says what to write" "$err" "^[^"$'\n'"]*/etc/lxc/lxc-usernet is missing; as root write a line into it: USER veth rlbr0 10$"
mkdir /etc/lxc
: >/etc/lxc/lxc-usernet
run kit true
is "no line in it: refused" "$rc" 1
like "no line in it: one line too" "$err" "^[^"$'\n'"]*lxc-user-nic failed: [^"$'\n'"]*lxc-usernet: USER veth rlbr0 10$"
echo "$user veth rlbr0 10" >/etc/lxc/lxc-usernet
run as_user rootlesskit --net=lxc-user-nic --lxc-user-nic-binary=/no/such true
like "no such program: one line" "$err" "^[^"$'\n'"]*/no/such: not found[^"$'\n'"]*$"

python3 "$work/tcp.py" hello 10.99.0.1 8000 &
wait_for 10 sh -c "ss -ltnH 'sport = :8000' | grep -q ."
serve_dhcp
for mode in "" --detach-netns; do
    # shellcheck disable=SC2016 # for the shell inside
    enter=${mode:+'nsenter -n"$ROOTLESSKIT_STATE_DIR/netns"'}
    # shellcheck disable=SC2086 # words
    run kit $mode --mtu=1400 --ifname=net7 sh -c "$enter ip -br addr show net7; $enter ip route show default;
        $enter ip link show net7; $enter ip -br addr show lo; $enter python3 $work/tcp.py first 10.99.0.1 8000"
    like "${mode:-attached}: an address by DHCP" "$out" "^net7.* 10.99.0.[5-9][0-9]/24"
    like "${mode:-attached}: the router" "$out" "default via 10.99.0.1"
    like "${mode:-attached}: MTU as asked" "$out" "mtu 1400"
    like "${mode:-attached}: a loopback" "$out" "lo .*127.0.0.1/8"
    like "${mode:-attached}: a service on the bridge" "$out" "hello$"
    is "${mode:-attached}: without a word" "$err" ""
done
run kit --copy-up=/etc sh -c 'head -n 1 /etc/resolv.conf; getent hosts a.example'
like "resolv.conf and libc" "$out" "^nameserver 10.99.0.1"$'\n'"192.0.2.111 +a.example"
kill "$server"
wait "$server" || true
ok "nothing is left" wait_for 5 family_gone

# A lease of 2 seconds, so that one of 1 is due.
serve_short() {
    python3 "$work/dhcp.py" rlbr0 10.99.0.1 10.99.0.77 2 "$work/refuse" >"$work/dhcp.log" &
    server=$!
    wait_for 10 sh -c "ss -lunH 'sport = :67' | grep -q ."
}
answered() { grep -qx "$1" "$work/dhcp.log"; }
serve_short
start_kit "${nic_options[@]}" --port-driver=builtin -p 127.0.0.1:8001:8001/tcp python3 "$work/tcp.py" hello 127.0.0.1 8001
is "info has the address and the name servers" \
    "$(ctl info --json | python3 -c 'import json,sys; n=json.load(sys.stdin)["networkDriver"]; print(n["driver"], n["childIP"], *n["dns"])')" \
    "lxc-user-nic 10.99.0.77 10.99.0.1 192.0.2.53"
reached() { [ "$(python3 "$work/tcp.py" first 127.0.0.1 8001)" = hello ]; }
ok "the builtin port driver leads there" wait_for 20 reached
ok "the lease is renewed" wait_for 10 answered "ack renew"
count=0
for p in $(pgrep -P "$kit"); do
    if grep -q '^CapEff:.*0000000000000000' "/proc/$p/status" && grep -q '^Seccomp:.*2' "/proc/$p/status" &&
        [[ "$(readlink "/proc/$p/root")" = /proc/*/fdinfo ]]; then
        count=$((count + 1))
    fi
done
is "client and data plane have no capability and no files" "$count" 2
nsenter -t "$(cat "$state/child_pid")" -n python3 "$work/tcp.py" hello 0.0.0.0 81 &
servers=($!)
nsenter -t "$(cat "$state/child_pid")" -n python3 "$work/udp.py" echo 0.0.0.0 82 &
servers+=($!)
check_ports lxc-user-nic builtin 10.99.0.77
# They hold the network namespace, and so its interface.
kill "${servers[@]}"
wait "${servers[@]}" 2>/dev/null || true
kill -KILL "$kit"
wait "$kit" 2>/dev/null || true
ok "SIGKILL of the parent leaves no process" wait_for 5 family_gone
no_veth() { [ -z "$(ip -o link show master rlbr0)" ]; }
ok "nor an interface on the bridge" wait_for 10 no_veth

# shellcheck disable=SC2016 # for the shell inside
enter='nsenter -n"$ROOTLESSKIT_STATE_DIR/netns"'
start_kit "${nic_options[@]}" --port-driver=builtin --detach-netns \
    sh -c "$enter python3 $work/tcp.py hello 0.0.0.0 81 & $enter python3 $work/udp.py echo 0.0.0.0 82 & wait"
check_ports "lxc-user-nic, detached" builtin 10.99.0.77
stop_kit
ok "it leaves no interface either" wait_for 10 no_veth

start_kit "${nic_options[@]}" sleep 1000
touch "$work/refuse"
status=0
wait "$kit" || status=$?
is "an address that is taken away ends the instance" "$status" 1
is "with one line" "$(cat "$work/kit.log")" "[rootlesskit:parent] error: lxc-user-nic ended unexpectedly: the DHCP server took the address away"
rm "$work/refuse"
kill "$server"
wait "$server" || true
done_testing
