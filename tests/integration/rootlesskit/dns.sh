#!/bin/bash
# The gateway's DNS relay between a real client and real resolvers on the host's loopback.
set -eu
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
command -v dnsmasq >/dev/null || skip_all "no dnsmasq here"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
ulimit -n "$(ulimit -Hn)"
make_kit_user dns
rm -f /etc/resolv.conf

listens() { ss -lunH "sport = :53" | grep -qF "$1"; }
# resolver ADDRESS ANSWER [OPTION...]: knows every name below example; another one is REFUSED
resolver() {
    local where=(--listen-address="$1")
    [[ $1 != *%* ]] || where=(--interface="${1#*%}" --except-interface=lo)
    dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
        --bind-interfaces "${where[@]}" --address="/example/$2" "${@:3}" 2>>"$work/dnsmasq.log" &
    wait_for 10 listens "${1%\%*}" || note "$(cat "$work/dnsmasq.log")"
}
# The other kind of resolver that hosts have on their loopback: it validates, and knows EDNS.
unbound_at() { # ADDRESS ANSWER
    {
        printf 'server:\n do-daemonize: no\n username: ""\n chroot: ""\n directory: "%s"\n' "$work"
        printf ' use-syslog: no\n verbosity: 0\n interface: %s\n access-control: 127.0.0.0/8 allow\n' "$1"
        printf ' local-zone: "example." redirect\n local-data: "example. A %s"\n' "$2"
        printf ' local-zone: "static." static\n'
        for i in $(seq 1 30); do
            printf " local-data: 'big.static. TXT \"%0200d\"'\n" "$i"
        done
        printf 'remote-control:\n control-enable: no\n'
    } >"$work/unbound.conf"
    unbound -c "$work/unbound.conf" 2>>"$work/unbound.log" &
    wait_for 10 listens "$1" || note "$(cat "$work/unbound.log")"
}
stub() { # ADDRESS ANSWER WAY
    python3 "$work/dns.py" "$@" &
    wait_for 10 listens "$1"
}
hosts_servers() { # ADDRESS...: one write, with options and a search domain
    {
        printf 'nameserver %s\n' "$@"
        printf 'search host.example\noptions %s\n' "${options:-ndots:1}"
    } >/etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
}
soon() { wait_for 30 "$@"; }
# The change has arrived when the child sees what only the new list gives; WANT is dig's answer.
sees() { [ "$(inside dig +short +time=9 +tries=1 seen.example "@$server")" = "$1" ]; }
# The first query after a change has it, but for one within the 10 ms that what was read may be old.
sees_now() { sleep 0.02 && sees "$1"; }
inside() { as_user nsenter -U -n -m --preserve-credentials -t "$child" "$@"; }
dig_inside() { inside dig +time=9 +tries=1 "$@" "@$server"; }

big=()
for i in $(seq 1 30); do
    big+=("--txt-record=big.example,$(printf '%0200d' "$i")")
done
resolver 127.0.0.53 192.0.2.53 "${big[@]}" --local=/other/ --host-record=here.other,192.0.2.53
resolver 127.0.0.54 192.0.2.54 --address=/second.test/192.0.2.154
resolver ::1 192.0.2.56
ip link add rl0 type veth peer name rl1
ip addr add fe80::53/64 dev rl0 nodad
ip addr add 198.18.8.2/24 dev rl0
ip link set rl0 up
ip link set rl1 up
# Nobody answers there, not even for the address.
ip neigh add 198.18.8.1 lladdr 02:00:00:00:00:01 dev rl0 nud permanent
silent=198.18.8.1

hosts_servers 127.0.0.53
start_kit --net=gateway --copy-up=/etc sleep 1000
child=$(cat "$state/child_pid")
server=10.0.2.3

is "the child's resolv.conf: its own server, the host's domains and options" \
    "$(inside cat /etc/resolv.conf)" $'nameserver 10.0.2.3\nsearch host.example\noptions ndots:1'
run inside getent ahostsv4 a.example
like "libc resolves" "$out" "^192.0.2.53 "
run inside getent ahostsv4 only
like "with the host's search domain" "$out" "^192.0.2.53 .*only.host.example"
servers=(10.0.2.3)
if [ -e /proc/net/if_inet6 ]; then
    servers+=(fd72:6b69:74::3)
else
    skip "at its IPv6 address" "no IPv6 here"
fi
for server in "${servers[@]}"; do
    run dig_inside +short a.example
    is "$server: UDP" "$out" 192.0.2.53
    run dig_inside +short +tcp a.example
    is "$server: TCP" "$out" 192.0.2.53
    run dig_inside +tcp big.example txt
    is "$server: a big answer over TCP" "$(grep -c '^big.example' <<<"$out")" 30
    run dig_inside +ignore +bufsize=512 big.example txt
    like "$server: one too big for the client's UDP is cut by the resolver" "$out" "flags: [a-z ]*tc"
    run dig_inside +bufsize=512 big.example txt
    is "$server: and comes by TCP then" "$(grep -c '^big.example' <<<"$out")" 30
    run dig_inside +notcp +bufsize=1232 here.other aaaa
    like "$server: no data is no failure" "$out" "status: NOERROR"
    run dig_inside gone.other
    like "$server: NXDOMAIN" "$out" "status: NXDOMAIN"
    run inside python3 "$work/ask.py" many "$server" 1000
    is "$server: 1000 queries at once" "$out" 1000
done
server=10.0.2.3

hosts_servers 127.0.0.53 127.0.0.54
second() { [ "$(dig_inside +short second.test)" = 192.0.2.154 ]; }
ok "a name that the first one refuses is asked of the second" soon second
run dig_inside third.test
like "what all refuse is REFUSED" "$out" "status: REFUSED"

if [ ${#servers[@]} -gt 1 ]; then
    hosts_servers ::1
    ok "a resolver of IPv6" soon sees 192.0.2.56
    is "by TCP" "$(dig_inside +short +tcp a.example)" 192.0.2.56
    resolver fe80::53%rl0 192.0.2.57
    hosts_servers fe80::53%rl0
    ok "one with a link-local address" soon sees 192.0.2.57
    is "by TCP" "$(dig_inside +short +tcp a.example)" 192.0.2.57
fi

for dead in 127.0.0.99 $silent fe80::99%nolink; do
    hosts_servers "$dead" 127.0.0.54
    ok "dead first resolver $dead: UDP" soon sees 192.0.2.54
    is "dead first resolver $dead: TCP" "$(dig_inside +short +tcp a.example)" 192.0.2.54
done
options='timeout:1 attempts:1' hosts_servers $silent 127.0.0.54
ok "the host's short timeout" soon sees 192.0.2.54
cp /etc/resolv.conf "$work/short"
stop_kit
start_kit --net=gateway --copy-up=/etc sleep 1000
child=$(cat "$state/child_pid")
run inside getent ahostsv4 a.example
like "a libc that waits 1 s has the second resolver's answer in that time" "$out" "^192.0.2.54 "

hosts_servers 127.0.0.91 127.0.0.92 127.0.0.93 127.0.0.54
servfail() { dig_inside "$@" a.example | grep -q "status: SERVFAIL"; }
ok "all dead: SERVFAIL; a fourth one is not used, as by libc" soon servfail
run dig_inside +tcp a.example
like "all dead: TCP is reset" "$out$err" "connection reset|end of file"
hosts_servers $silent
ok "nobody answers: SERVFAIL in the time that libc waits" soon servfail +time=6

stub 127.0.0.60 192.0.2.55 spoofed
hosts_servers 127.0.0.60
ok "answers of others, to others, and non-answers do not count" soon sees 192.0.2.55
stub 127.0.0.61 192.0.2.55 servfail
hosts_servers 127.0.0.61 127.0.0.53
ok "SERVFAIL of the first is not the last word" soon sees 192.0.2.53
hosts_servers 127.0.0.61
ok "but that of the last is" soon servfail
stub 127.0.0.62 192.0.2.58 slow
hosts_servers 127.0.0.62
ok "an only resolver may take its time" soon sees 192.0.2.58
is "by TCP too" "$(dig_inside +short +tcp a.example)" 192.0.2.58

if command -v unbound >/dev/null; then
    unbound_at 127.0.0.63 192.0.2.59
    hosts_servers 127.0.0.63
    ok "unbound: UDP" sees_now 192.0.2.59
    is "unbound: TCP" "$(dig_inside +short +tcp seen.example)" 192.0.2.59
    run dig_inside +bufsize=512 big.static txt
    is "unbound: a big answer comes by TCP" "$(grep -c '^big.static' <<<"$out")" 30
    run dig_inside gone.static
    like "unbound: NXDOMAIN" "$out" "status: NXDOMAIN"
    run dig_inside +dnssec +cookie seen.example
    like "unbound: EDNS goes both ways" "$out" "EDNS: version: 0, flags: do"
    run inside python3 "$work/ask.py" many "$server" 1000
    is "unbound: 1000 queries at once" "$out" 1000
else
    skip "unbound" "it is not installed"
fi

# The host's file changes all the time; who asks does not notice.
mkdir "$work/one" "$work/two"
chmod 755 "$work/one" "$work/two"
by_rename() { hosts_servers "127.0.0.$((53 + $1 % 2))"; }
by_link() {
    local to=$work/one
    [ $(($1 % 2)) = 0 ] || to=$work/two
    ln -s "$to/resolv.conf" /etc/resolv.conf.new
    mv -T /etc/resolv.conf.new /etc/resolv.conf
}
in_place() {
    : >/etc/resolv.conf
    printf 'nameserver 127.0.0.%d\n' $((53 + $1 % 2)) >/etc/resolv.conf
}
echo "nameserver 127.0.0.53" >"$work/one/resolv.conf"
echo "nameserver 127.0.0.54" >"$work/two/resolv.conf"
hosts_servers 127.0.0.53
soon sees 192.0.2.53
for how in by_rename by_link in_place; do
    touch "$work/go"
    inside python3 "$work/ask.py" on $server "$work/go" >"$work/asked" &
    asker=$!
    for i in $(seq 1 50); do
        $how "$i"
        [ $((i % 10)) -gt 0 ] || sees "192.0.2.$((53 + i % 2))" || true
    done
    $how 51
    ok "50 changes $how: the last one is followed" sees_now 192.0.2.54
    rm "$work/go"
    wait $asker || true
    like "50 changes $how: every query was answered" "$(cat "$work/asked")" "^[0-9]{2,} answered, 0 not"
done

# The link led elsewhere when we began.
rm -f /etc/resolv.conf
ln -s "$work/two/resolv.conf" /etc/resolv.conf
ok "the link leads to another directory" sees_now 192.0.2.54
echo "nameserver 127.0.0.53" >"$work/two/resolv.conf"
ok "the file there is rewritten" sees_now 192.0.2.53
echo "nameserver 127.0.0.54" >"$work/two/new"
mv "$work/two/new" "$work/two/resolv.conf"
ok "and replaced" sees_now 192.0.2.54
mkdir "$work/three"
echo "nameserver 127.0.0.53" >"$work/three/resolv.conf"
rm "$work/two/resolv.conf"
ln -s ../three/resolv.conf "$work/two/resolv.conf"
ok "and becomes a link itself" sees_now 192.0.2.53
echo "nameserver 127.0.0.54" >"$work/three/resolv.conf"
ok "whose file is rewritten" sees_now 192.0.2.54
rm /etc/resolv.conf
: >/etc/resolv.conf
mount --bind "$work/two/resolv.conf" /etc/resolv.conf
ok "a file is mounted over it" sees_now 192.0.2.54
umount /etc/resolv.conf
rm /etc/resolv.conf
mkdir /etc/resolv.conf
ok "who cannot read it keeps what was there" sees_now 192.0.2.54
ok "and asks again" sees_now 192.0.2.54
is "which is told once" "$(grep -c 'DNS servers of before' "$work/kit.log")" 1
rmdir /etc/resolv.conf
hosts_servers 127.0.0.53
kill -STOP "$kit"
ok "a parent that does not answer holds no query up" sees_now 192.0.2.54
kill -CONT "$kit"
ok "and is asked again when it does" soon sees 192.0.2.53
rm /etc/resolv.conf
ok "none: libc would ask 127.0.0.1, where nobody is" soon servfail
resolver 127.0.0.1 192.0.2.51
ok "or is" soon sees 192.0.2.51
stop_kit

run as_user rootlesskit --net=gateway --disable-host-loopback --copy-up=/etc dig +short +time=9 +tries=1 a.example
is "without host loopback the host's resolver there is still asked" "$out" 192.0.2.51
if command -v slirp4netns >/dev/null; then
    run as_user rootlesskit --net=slirp4netns --ipv6 --copy-up=/etc grep nameserver /etc/resolv.conf
    is "slirp4netns --ipv6: both its servers" "$out" $'nameserver 10.0.2.3\nnameserver fd00::3'
else
    skip "slirp4netns --ipv6" "it is not installed"
fi
done_testing
