#!/bin/bash
# Docker behind ports that refuse while nobody listens: starts, restarts, and what list-ports says.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

launcher=/usr/share/docker.io/contrib/dockerd-rootless.sh
[ -x "$launcher" ] || skip_all "no docker.io"
use_programs
make_user docker
env_user=("DOCKER_HOST=unix://$runtime/docker.sock" DOCKERD_ROOTLESS_ROOTLESSKIT_NET=gateway
    DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520
    "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--state-dir=$runtime/kit --publish-when-listening")
docker() { as_user /usr/bin/docker "$@"; }
ctl() { as_user rootlessctl --socket "$runtime/kit/api.sock" "$@"; }
listening() { ctl list-ports --json | sed 's/.*"listening":\([a-z]*\)}$/\1/' | sort | uniq -c | xargs; }
is_listening() { [ "$(listening)" = "$1" ]; }

start_as_user "$launcher" >"$work/docker.log" 2>&1
daemon=$pid
ok "dockerd answers" wait_for 30 docker version || true
[ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/docker.log")"
make_rootfs "$work/rootfs" page
tar -C "$work/rootfs" -c . | docker import - image >/dev/null

docker run -d --stop-signal KILL --name web -p 8080:80 image httpd -f -p 80 -h /www >/dev/null
ok "a container's port answers" wait_for 30 gives 127.0.0.1:8080 page
ok "in IPv6" wait_for 30 gives "[::1]:8080" page
ok "list-ports knows that somebody listens" wait_for 20 is_listening "2 true"
good=0
for _ in 1 2 3; do
    docker restart web >/dev/null
    if wait_for 30 gives 127.0.0.1:8080 page; then good=$((good + 1)); fi
done
is "it answers after each restart" "$good" 3
docker stop web >/dev/null
ok "stopped: refused" wait_for 10 listens_not 8080
docker start web >/dev/null
ok "started: answers" wait_for 30 gives 127.0.0.1:8080 page

# A service of the container's on the namespace's network, and a port by hand that waits for it.
ctl add-ports 127.0.0.1:8081:8090/tcp >/dev/null
ok "a port by hand: refused" wait_for 10 listens_not 8081
docker run -d --stop-signal KILL --name host --network host image httpd -f -p 8090 -h /www >/dev/null
good=0
for _ in 1 2 3; do
    if wait_for 30 gives 127.0.0.1:8081 page; then good=$((good + 1)); fi
    docker kill host >/dev/null
    if wait_for 10 listens_not 8081; then good=$((good + 1)); fi
    docker start host >/dev/null
done
is "its service comes and goes: so does the port" "$good" 6
docker rm -f web host >/dev/null
kill -TERM "$daemon"
wait "$daemon" || true
done_testing
