#!/bin/bash
# nginx in a container behind Docker's bridge, without Docker's proxy: its access log has the addresses of clients
# on another host, IPv4 and IPv6.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

launcher=/usr/share/docker.io/contrib/dockerd-rootless.sh
[ -x "$launcher" ] || skip_all "no docker.io"
command -v nginx >/dev/null || skip_all "nginx is not installed"
use_programs
use_network
make_user nginx
env_user=("DOCKER_HOST=unix://$runtime/docker.sock" DOCKERD_ROOTLESS_ROOTLESSKIT_NET=gateway
    DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520
    "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--state-dir=$runtime/kit --ipv6")
docker() { as_user /usr/bin/docker "$@"; }
ctl() { as_user rootlessctl --socket "$runtime/kit/api.sock" "$@"; }

# The machine's nginx and what it is linked with, in an image.
root=$work/root
mkdir -p "$root"/{etc/nginx,var/log/nginx,var/lib/nginx,run,dev,proc,sys,tmp,usr/sbin}
cp "$(command -v nginx)" "$root/usr/sbin/nginx"
ldd "$(command -v nginx)" | grep -o '/[^ ]*' | while read -r library; do cp -L --parents "$library" "$root"; done
printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
cat >"$root/etc/nginx/nginx.conf" <<'END'
user root root;
daemon off;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
    log_format who '$remote_addr $request_uri';
    access_log /dev/stdout who;
    server {
        listen 80;
        listen [::]:80;
        location / { return 200 "page\n"; }
    }
}
END

start_as_user "$launcher" --userland-proxy=false --ipv6 --fixed-cidr-v6=fd00:d0c::/64 --ip6tables --experimental \
    >"$work/docker.log" 2>&1
daemon=$pid
ok "dockerd answers" wait_for 40 docker version || true
[ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/docker.log")"
tar -C "$root" -c . | docker import - nginx >/dev/null
docker run -d --stop-signal KILL --name web -p 8080:80 nginx /usr/sbin/nginx -e stderr >/dev/null
# Docker as old as Debian's leaves its ports unpublished then: what newer ones ask the API for.
[ "$(ctl list-ports --json | grep -c '"parentPort":8080,')" != 0 ] ||
    ctl add-ports "0.0.0.0:8080:8080/tcp4" "[::]:8080:[fd72:6b69:74::100]:8080/tcp6" >/dev/null
log() { docker logs web 2>/dev/null | sed -n "s,^\(.*\) $1\$,\1,p" | sort | uniq -c | xargs; }
far() { on_remote curl -sS -g --max-time 10 "http://$1"; }
page() { [ "$(far "$1")" = page ]; }
ok "nginx in a container answers another host" wait_for 20 page "$machine:8080/begin"
for _ in $(seq 20); do far "$machine:8080/four"; done >"$work/pages"
is "20 requests" "$(sort "$work/pages" | uniq -c | xargs)" "20 page"
is "its access log has that host's address" "$(log /four)" "20 $remote"
ok "by IPv6" wait_for 30 page "[$machine6]:8080/begin6"
for _ in $(seq 20); do far "[$machine6]:8080/six"; done >/dev/null
is "its IPv6 address, too" "$(log /six)" "20 $remote6"
docker restart web >/dev/null
ok "after a restart it answers" wait_for 20 page "$machine:8080/begin"
far "$machine:8080/again" >/dev/null
is "and knows its clients" "$(log /again)" "1 $remote"
kill -TERM "$daemon"
wait "$daemon" || true
done_testing
