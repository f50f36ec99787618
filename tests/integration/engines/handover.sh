#!/bin/bash
# Docker with --port-handover: the services of its containers have sockets of the host's, with its own proxy and without.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

launcher=/usr/share/docker.io/contrib/dockerd-rootless.sh
[ -x "$launcher" ] || skip_all "no docker.io"
use_programs
use_network
make_user docker
env_user=("DOCKER_HOST=unix://$runtime/docker.sock" DOCKERD_ROOTLESS_ROOTLESSKIT_NET=gateway
    DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520
    "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--debug --state-dir=$runtime/kit --port-handover=8080-8089")
# Docker as old as Debian's always closes the host's loopback: sockets would have to be locked in, which not every
# kernel lets a user do.
sed 's/--disable-host-loopback//' "$launcher" >"$work/launcher"
chmod 755 "$work/launcher"
docker() { as_user /usr/bin/docker "$@"; }
ctl() { as_user rootlessctl --socket "$runtime/kit/api.sock" "$@"; }
owner() { ss -ltnpH "sport = :$1" | grep -o '"[^"]*"' | sort | uniq | xargs; }
fails_at() { ! gives "$1" page; }

make_rootfs "$work/rootfs" page
for proxy in true false; do
    start_as_user "$work/launcher" --userland-proxy=$proxy >"$work/docker.log" 2>&1
    daemon=$pid
    ok "--userland-proxy=$proxy: dockerd answers" wait_for 30 docker version || true
    [ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/docker.log")"
    tar -C "$work/rootfs" -c . | docker import - image >/dev/null
    docker network create compose >/dev/null
    docker run -d --stop-signal KILL --name web --network compose -p 8080:80 image httpd -f -p 80 -h /www >/dev/null
    # Without its proxy an old Docker leaves publishing to others.
    [ "$(ctl list-ports --json | grep -c '"parentPort":8080,')" != 0 ] || {
        ctl add-ports "0.0.0.0:8080:8080/tcp4" >/dev/null
        docker restart web >/dev/null
    }
    docker run -d --stop-signal KILL --name other --network compose image sleep 600 >/dev/null
    ok "a container's port answers" wait_for 30 gives "$machine:8080" page
    like "its process has the host's socket" "$(owner 8080)" httpd
    is "it sees who asks" "$(get "$machine:8080" cgi-bin/who)" "[::ffff:$machine]"
    is "from another host, too" "$(on_remote curl -sS --max-time 5 "http://$machine:8080/cgi-bin/who")" "[::ffff:$remote]"
    is "another container reaches it by its name" "$(docker exec other wget -qO - http://web/)" page
    good=0
    for _ in 1 2 3; do
        docker restart web >/dev/null
        if wait_for 30 gives "$machine:8080" page; then good=$((good + 1)); fi
    done
    is "it answers after each restart" "$good $(owner 8080 | grep -c httpd)" "3 1"
    docker stop web >/dev/null
    ok "stopped: refused" wait_for 20 fails_at "$machine:8080"
    docker rm -f web other >/dev/null
    docker network rm compose >/dev/null
    kill -TERM "$daemon"
    wait "$daemon" || true
done
done_testing
