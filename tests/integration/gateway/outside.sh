# shellcheck shell=bash
# What the tests of outbound traffic share. Sourced first, in the place of lib.sh, which it sources. The
# machine's network is the test's own; behind a cable is the outside, where the servers are.
# shellcheck disable=SC2154,SC2034 # lib.sh's variables
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../rootlesskit/common.sh
. "$(dirname "$0")/../rootlesskit/common.sh"

machine=198.18.9.1 machine6=fd00:9::1
outside=198.18.9.7 outside6=fd00:9::7
outside_name=outside.example

have() { # PROGRAM...: all of them
    local program
    for program in "$@"; do command -v "$program" >/dev/null || return 1; done
}
# new_network PID: in $pid a process in a new network, made in that of PID; it ends with the test
new_network() {
    nsenter -t "$1" -n unshare --net sleep infinity &
    pid=$!
    at_end kill "$pid"
    wait_for 10 sleeps "$pid"
}
sleeps() { [ "$(cat "/proc/$1/comm")" = sleep ]; } # and so is in its namespace
on_outside() { nsenter --net="/proc/$outside_pid/ns/net" "$@"; }

# The machine's network and the outside, which is also the machine's way to everywhere else.
use_outside() {
    new_network $$
    outside_pid=$pid
    ip link add cable0 type veth peer name cable0 netns "$outside_pid" || skip_all "no veth interfaces"
    on_outside ip link set lo up
    cable "$machine/24" "$machine6/64"
    on_outside bash -c "$(declare -f cable); cable $outside/24 $outside6/64"
    ip route add default via "$outside"
    ip -6 route add default via "$outside6" 2>/dev/null || true
    sysctl -qw net.ipv4.ping_group_range="0 2147483647" # as systemd sets it
    on_outside sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000
    on_outside sysctl -qw net.ipv6.icmp.ratelimit=0 2>/dev/null || true
    rm -f /etc/resolv.conf
    echo "nameserver $outside" >/etc/resolv.conf
}
cable() { # IPV4 IPV6
    ip addr add "$1" dev cable0
    ip -6 addr add "$2" dev cable0 nodad 2>/dev/null || true
    ip link set cable0 up
}

# serves PORT COMMAND...: begins it outside, in $server, and returns when the port is open there
serves() {
    local port=$1
    shift
    on_outside "$@" >"$work/server-$port.log" 2>&1 &
    server=$!
    at_end kill "$server"
    wait_for 30 opened "$port"
}
opened() { on_outside ss -ltnH "sport = :$1" | grep -q .; }

# serve_files PORT [CONFIG]: nginx outside, for reading and writing: $work/www is its root; CONFIG is part
# of its server's
serve_files() {
    mkdir -p "$work/www" "$work/nginx"
    cat >"$work/nginx/conf" <<NGINX
daemon off;
user root;
pid $work/nginx/pid;
error_log stderr;
worker_processes 2;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    server {
        listen $1 backlog=4096;
        listen [::]:$1 backlog=4096;
        root $work/www;
        location / { dav_methods PUT DELETE; create_full_put_path on; }
        ${2:-}
    }
}
NGINX
    serves "$1" nginx -e stderr -p "$work/nginx" -c "$work/nginx/conf"
}

# start_gateway: an instance that waits, with kit_options; in_child COMMAND... is what its user runs
# inside. families: 4, and 6 where the child has it; address FAMILY is the outside's, url FAMILY the same in a URL.
kit_options=()
start_gateway() {
    start_kit --net=gateway --copy-up=/etc "${kit_options[@]}" sleep infinity
    child_pid=$(cat "$state/child_pid")
    families=(4)
    if in_child ip -6 route show default 2>/dev/null | grep -q .; then families+=(6); fi
}
in_child() { as_user nsenter -U -n -m --preserve-credentials -w"$home" -t "$child_pid" "$@"; }
address() { if [ "$1" = 6 ]; then echo "$outside6"; else echo "$outside"; fi; }
url() { if [ "$1" = 6 ]; then echo "http://[$outside6]"; else echo "http://$outside"; fi; }
say_families() {
    [ "${#families[@]}" -eq 2 ] || skip "IPv6" "the child has no IPv6 route"
}

# The data plane's process: the parent's child that stays in the machine's network.
data_plane() {
    local p
    for p in $(pgrep -x -P "$kit" -u "$user" rootlesskit); do
        [ "$(stat -Lc %i "/proc/$p/ns/net")" != "$(stat -Lc %i /proc/self/ns/net)" ] || echo "$p"
    done
}
# Its fds, those but the spare pipes' that it may keep (two a pipe), and the pipes'.
fds() { links_of "$1" | wc -l; }
sockets() { links_of "$1" | grep -vc '^pipe:'; }
pipes() { links_of "$1" | grep -c '^pipe:' || true; }
links_of() { find "/proc/$1/fd" -mindepth 1 -printf '%l\n' 2>/dev/null || true; }
spare_pipes=64
