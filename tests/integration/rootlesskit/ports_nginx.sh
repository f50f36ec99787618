#!/bin/bash
# nginx behind published ports: its access log has the addresses of clients on another host, and the port they used.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
command -v nginx >/dev/null || skip_all "nginx is not installed"
command -v curl >/dev/null || skip_all "curl is not installed"
use_programs
make_kit_user nginx
machine=198.18.9.1 machine6=fd00:9::1 remote=198.18.9.7 remote6=fd00:9::7

unshare --net sleep infinity &
far=$!
wait_for 10 sh -c "[ \$(readlink /proc/$far/ns/net) != $(readlink /proc/self/ns/net) ]"
on_far() { nsenter -t "$far" -n "$@"; }
ip link add here0 type veth peer name far0 netns "$far"
ip addr add "$machine/24" dev here0
ip link set here0 up
on_far ip link set lo up
on_far ip addr add "$remote/24" dev far0
on_far ip link set far0 up
ipv6=
if ip -6 addr add "$machine6/64" dev here0 nodad 2>/dev/null && on_far ip -6 addr add "$remote6/64" dev far0 nodad; then ipv6=1; fi

# The page is empty; the log tells who asked, from which port, and for what.
install -d -o "$uid" -g "$gid" "$work/nginx"
cat >"$work/nginx/nginx.conf" <<END
daemon off;
worker_processes 2;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
    log_format who '\$remote_addr \$remote_port \$request_uri';
    access_log $work/nginx/access.log who;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    server {
        listen 80;
        listen [::1]:81 ipv6only=on;
        location / { return 200 "page\n"; }
    }
}
END
get() { curl -sS --max-time 10 --local-port 41000-41999 "http://$1"; }
who() { sed -n "s,^\\(.*\\) \\([0-9]*\\) $1\$,\\1,p" "$work/nginx/access.log" | sort | uniq -c | xargs; }
ports_used() { sed -n "s,^.* 41[0-9]* $1\$,port,p" "$work/nginx/access.log" | wc -l; }
gives_page() { [ "$(get "$1")" = page ]; }

for net in gateway none; do
    rm -f "$work/nginx/access.log"
    start_kit --net=$net --port-driver=builtin --copy-up=/etc --copy-up=/run -p 8080:80/tcp -p '[::]:8081:[::1]:81/tcp6' \
        nginx -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf"
    ok "$net: nginx answers" wait_for 20 gives_page 127.0.0.1:8080/begin
    for _ in $(seq 50); do on_far curl -sS --max-time 10 --local-port 41000-41999 "http://$machine:8080/remote"; done >"$work/pages"
    is "$net: 50 requests of another host" "$(sort "$work/pages" | uniq -c | xargs)" "50 page"
    is "$net: the access log has its address" "$(who /remote)" "50 $remote"
    is "$net: and its ports" "$(ports_used /remote)" 50
    on_far curl -sS --max-time 10 "http://$machine:8080/kept" "http://$machine:8080/kept" "http://$machine:8080/kept" >/dev/null
    is "$net: of each request on a connection" "$(who /kept)" "3 $remote"
    get "$machine:8080/here" >/dev/null
    is "$net: a client on this host" "$(who /here)" "1 $machine"
    if [ -n "$ipv6" ]; then
        for _ in $(seq 20); do on_far curl -sS --max-time 10 -g "http://[$machine6]:8081/six" >/dev/null; done
        is "$net: IPv6" "$(who /six)" "20 $remote6"
        on_far curl -sS --max-time 10 -g "http://[$machine6]:8080/other" >/dev/null
        is "$net: an IPv6 client of an IPv4 service comes from the namespace" "$(who /other)" "1 127.0.0.1"
    fi
    stop_kit
done
done_testing
