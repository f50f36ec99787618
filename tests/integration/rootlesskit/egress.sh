#!/bin/bash
# What --egress-allow and --egress-deny let through, and what not.
set -eu
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user egress
rm -f /etc/resolv.conf

# Echo requests leave by the host's ping sockets.
echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range
one=198.18.7.1 two=198.18.7.2
for address in $one/32 $two/32 198.18.9.1/32; do
    ip addr add "$address" dev lo
done
served() { [ -n "$(ss -ltnH "sport = :$1")" ] && waits_for_datagrams "$1"; }
waits_for_datagrams() { [ -n "$(ss -lunH "sport = :$1")" ]; }
serve() { # ADDRESS PORT
    python3 "$work/tcp.py" echo "$1" "$2" &
    python3 "$work/udp.py" echo "$1" "$2" &
    wait_for 20 served "$2"
}
serve 0.0.0.0 5001
serve 0.0.0.0 5002
ipv6=
if [ -e /proc/net/if_inet6 ]; then
    ipv6=1
    for address in 2001:db8:7::1 2001:db8:8::1 64:ff9b::198.18.7.1 64:ff9b::198.18.7.2; do
        ip addr add $address/128 dev lo nodad
    done
    serve :: 5006
fi
echo "nameserver 127.0.0.53" >/etc/resolv.conf
python3 "$work/dns.py" 127.0.0.53 192.0.2.53 &
wait_for 20 dig +short +time=1 +tries=1 @127.0.0.53 a.example

rules=()
kit() { as_user rootlesskit --net=gateway "${rules[@]}" --copy-up=/etc "$@"; }
# NAME ADDRESS PORTS WANT: what a client gets by TCP, and by UDP; refusals differ by family
reaches() {
    local kind
    for kind in "" --udp; do
        # shellcheck disable=SC2086 # words
        run kit python3 "$work/reach.py" $kind "$2" $3
        is "$1: $2 $3 ${kind:---tcp}" "$out" "$4"
    done
}
echoes() { # NAME ADDRESS ERE
    run kit ping -c 1 -W 10 "$2"
    like "$1: echo of $2" "$out" "$3"
}
no4=EHOSTUNREACH no6=EACCES

reaches "no rule" $one "5001 5002" "hello hello"
rules=("--egress-deny=$two")
reaches "deny an address" $one "5001 5002" "hello hello"
reaches "deny an address" $two "5001 5002" "$no4 $no4"
echoes "deny an address" $one " 0% packet loss"
echoes "deny an address" $two "Packet filtered"
rules=("--egress-deny=198.18.0.0/16:5001")
reaches "deny a port" $one "5001 5002" "$no4 hello"
echoes "deny a port" $one " 0% packet loss"
rules=("--egress-allow=198.18.7.0/24:5001")
reaches "allow a port of a network" $two "5001 5002" "hello $no4"
reaches "allow a port of a network" 198.18.9.1 5001 $no4
reaches "and not the host's loopback then" 10.0.2.2 5001 $no4
echoes "allow a port of a network" $one "Packet filtered"
rules=("--egress-allow=198.18.7.0/24,127.0.0.1:5001-5001,5009" "--egress-deny=$two")
reaches "deny wins" $two 5001 $no4
reaches "allow and deny" $one 5002 hello
reaches "the host's loopback has its own rule" 10.0.2.2 "5001 5002" "hello $no4"
echoes "allow and deny" $one " 0% packet loss"
rules=("--egress-deny=127.0.0.1:5001")
reaches "deny a service of the host's loopback" 10.0.2.2 "5001 5002" "$no4 hello"
rules=("--egress-allow=0.0.0.0/0" --disable-host-loopback)
reaches "a rule does not open what is shut otherwise" 10.0.2.2 5001 $no4
if [ -n "$ipv6" ]; then
    rules=(--egress-allow='[2001:db8:7::]/48:5006')
    reaches "allow of IPv6" 2001:db8:7::1 5006 hello
    reaches "allow of IPv6" 2001:db8:8::1 5006 $no6
    reaches "allow of IPv6" fd72:6b69:74::2 5006 $no6
    reaches "allow of IPv6 is about IPv6" $one 5001 $no4
    rules=("--egress-deny=::/0")
    reaches "deny all IPv6" 2001:db8:7::1 5006 $no6
    reaches "deny all IPv6" $one 5001 hello
    rules=("--egress-deny=::1")
    reaches "deny ::1" fd72:6b69:74::2 5006 $no6
    rules=("--egress-deny=$two")
    reaches "NAT64's spelling" 64:ff9b::198.18.7.1 5006 hello
    reaches "NAT64's spelling of what is denied" 64:ff9b::198.18.7.2 5006 $no6
else
    skip "IPv6" "none here"
fi

dns=(dig +time=9 +tries=1 a.example)
rules=("--egress-allow=$one")
run kit "${dns[@]}" +short
is "allow rules do not shut the DNS server" "$out" 192.0.2.53
rules=("--egress-deny=10.0.0.0/8")
run kit "${dns[@]}" +short
is "nor does a deny rule for the networks around the host" "$out" 192.0.2.53
for rule in 10.0.2.3 10.0.0.0/8:53 0.0.0.0/0; do
    rules=("--egress-deny=$rule")
    run kit "${dns[@]}" @10.0.2.3
    like "deny $rule: REFUSED" "$out" "status: REFUSED"
    run kit "${dns[@]}" +tcp @10.0.2.3
    like "deny $rule: TCP is reset" "$out$err" "connection reset|end of file"
done
if [ -n "$ipv6" ]; then
    run kit "${dns[@]}" +short @fd72:6b69:74::3
    is "the DNS server's IPv6 address counts for itself" "$out" 192.0.2.53
    rules=("--egress-deny=::/0:53")
    run kit "${dns[@]}" @fd72:6b69:74::3
    like "and can be denied" "$out" "status: REFUSED"
fi

rules=("--egress-allow=192.0.2.1")
start_kit --net=gateway "${rules[@]}" --port-driver=builtin -p 5010:5010/tcp -p 5010:5010/udp \
    sh -c "python3 '$work/tcp.py' echo 0.0.0.0 5010 & exec python3 '$work/udp.py' echo 0.0.0.0 5010"
published() { [ "$(python3 "$work/reach.py" ${2:+"$2"} "$1" 5010)" = hello ]; }
ok "published ports: TCP, from the host's loopback" wait_for 30 published 127.0.0.1
ok "published ports: TCP" published $one
ok "published ports: UDP" published $one --udp
stop_kit

rules=("--egress-allow=$one,198.18.9.1:5020" "--egress-deny=$two")
python3 "$work/speak.py" $one 5020 $two 198.18.9.1 $two &
wait_for 20 waits_for_datagrams 5020
run kit python3 "$work/reach.py" --unasked $one 5020
is "who may not be reached may not speak first" "$out" 198.18.9.1

run as_user rootlesskit --net=pasta --egress-deny=$two true
like "pasta does not keep to rules" "$rc $err" "^1 .*--egress-deny cannot be used with --net=pasta"
run as_user rootlesskit --egress-allow=$two true
like "nor does the host's network" "$rc $err" "^1 .*--egress-allow cannot be used with --net=host"
run as_user rootlesskit --net=auto --port-driver=implicit --egress-deny=$two true
like "nor what a port driver is of" "$rc $err" "^1 .*cannot be used with --port-driver=implicit"
run as_user rootlesskit --net=gateway --egress-deny=198.18.7.1/24 true
like "a wrong rule is told with the right one" "$rc $err" "^1 .*--egress-deny.*198.18.7.0/24"
rules=("--egress-deny=$two")
run as_user rootlesskit --net=auto "${rules[@]}" python3 "$work/reach.py" $two 5001
is "auto: the gateway keeps to it" "$out" $no4
chmod 600 /dev/net/tun
run as_user rootlesskit --net=auto "${rules[@]}" true
like "auto: no other driver is taken" "$rc $err" "^1 .*gateway: .*/dev/net/tun.*no other driver keeps"
chmod 666 /dev/net/tun
done_testing
