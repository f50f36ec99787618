#!/bin/bash
# The gateway network on Debian's stock kernel, for a user without any right: outbound to a network
# beyond the guest, and ports published to it.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 755 "$SOURCE_ROOT/tests/vm/ask" "$SOURCE_ROOT/tests/vm/who.py" "$work/"
make_kit_user gateway
modules=(veth nf_tables nft_tproxy nft_socket tun)

unload nft_masq nft_chain_nat "${modules[@]}"
is "the modules it needs are not loaded" "$(loaded "${modules[@]}")" ""
ok "the gateway starts" as_user rootlesskit --net=gateway true
is "the kernel loaded each when it was asked for" "$(loaded "${modules[@]}")" "$(printf '%s\n' "${modules[@]}")"

make_outside
outside_serves
cp /etc/resolv.conf "$work/resolv.conf"
echo "nameserver $outside4" >/etc/resolv.conf
interfaces=$(ip -br link) namespaces=$(namespaces)

start_kit --net=gateway --port-driver=builtin --copy-up=/etc \
    -p 0.0.0.0:8081:81/tcp -p '[::]:8082:[::1]:81/tcp6' -p 0.0.0.0:8083:81/udp \
    python3 "$work/who.py" 81 0.0.0.0 ::1
wait_for 90 grep -q ready "$work/kit.log" || note "$(cat "$work/kit.log")"
in_child() { as_user nsenter -U -n -m --preserve-credentials -t "$(cat "$state/child_pid")" "$@"; }
# asks NAME WANT [in_child|outside|env] PROTOCOL ADDRESS PORT
asks() {
    run "$3" "$work/ask" "${@:4}"
    is "$1" "$out$(grep -om 1 "Connection refused" <<<"$err" || true)" "$2"
}

for family in 4 6; do
    here=here$family there=outside$family
    for protocol in tcp udp; do
        asks "IPv$family, $protocol: to the outside, from this host's address" "${!here}" \
            in_child $protocol "${!there}" 80
        asks "IPv$family, $protocol: refused is refused" "Connection refused" \
            in_child $protocol "${!there}" 81
    done
done
like "a name, by the DNS relay" "$(in_child getent hosts a.example)" "^192.0.2.111 "
is "the DNS relay, over TCP" "$(in_child dig +short +tcp +time=10 +tries=1 @10.0.2.3 a.example)" 192.0.2.111

# Debian 12 leaves ping_group_range as the kernel has it: nobody's.
ping() { in_child ping -n -c 1 -W 20 "$1"; }
run ping "$outside4"
like "as it is installed, ping is told that it may not" "$out" "From 10.0.2.2 .*Packet filtered"
sysctl -qw "net.ipv4.ping_group_range=0 2147483647"
at_end sysctl -qw "net.ipv4.ping_group_range=1 0"
for there in "$outside4" "$outside6"; do
    run ping "$there"
    like "with check's remedy $there answers" "$out" " 0% packet loss"
done

asks "published, asked from this host: its address" "$here4" env tcp "$here4" 8081
asks "published, asked from outside: the client's address" "$outside4" outside tcp "$here4" 8081
asks "published, IPv6, from this host" "$here6" env tcp "$here6" 8082
asks "published, IPv6, from outside" "$outside6" outside tcp "$here6" 8082
run outside "$work/ask" udp "$here4" 8083
like "published, UDP: answered" "$out" "^[0-9.]+$"

stop_kit
ok "at the end no process is left" wait_for 60 family_gone
is "no state directory" "$(state_dirs)" ""
is "no interface" "$(ip -br link)" "$interfaces"
as_before() { [ "$(namespaces)" = "$namespaces" ]; }
ok "no namespace" wait_for 60 as_before
done_testing
