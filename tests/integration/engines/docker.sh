#!/bin/bash
# Docker of Debian's package, with its own dockerd-rootless.sh: what its users do with ports and networks.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

launcher=/usr/share/docker.io/contrib/dockerd-rootless.sh
[ -x "$launcher" ] || skip_all "no docker.io"
use_programs
use_network
use_resolver
serve_pages
make_user docker

docker() { as_user /usr/bin/docker "$@"; }
use_driver() {
    env_user=("DOCKER_HOST=unix://$runtime/docker.sock" "DOCKERD_ROOTLESS_ROOTLESSKIT_NET=$1"
        DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520
        "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--state-dir=$runtime/kit --disable-host-loopback=false")
}
start_docker() { # OPTION... of dockerd
    start_as_user "$launcher" "$@" >"$work/docker.log" 2>&1
    daemon=$pid
    wait_for 30 docker version
}
stop_docker() {
    kill -TERM "$daemon"
    wait "$daemon" || true
}
ports() { as_user rootlessctl --socket "$runtime/kit/api.sock" list-ports --json | wc -l; }
# web NAME PORTS...: a container that serves the page; a -p for each of PORTS
web() {
    local name=$1 publish=()
    shift
    for port in "$@"; do publish+=(-p "$port"); done
    docker run -d --stop-signal KILL --name "$name" "${publish[@]}" image httpd -f -p 80 -h /www
}
answers() { # NAME ADDRESS:PORT
    ok "$1" wait_for 20 gives "$2" page
    [ "$rc" -eq 0 ] || note "$(get "$2")"
}

use_driver gateway
ok "dockerd answers" start_docker || true
[ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/docker.log")"
make_rootfs "$work/rootfs" page
tar -C "$work/rootfs" -c . | docker import - image >/dev/null


web all 8080:80 >/dev/null
answers "-p 8080:80 on the loopback" 127.0.0.1:8080
answers "on its IPv6" "[::1]:8080"
answers "on the machine's address" "$machine:8080"
answers "on that one's IPv6" "[$machine6]:8080"
is "for a remote client" "$(on_remote curl -sS --max-time 5 "http://$machine:8080/")" page
note "a remote client, $remote, is seen as $(on_remote curl -sS --max-time 5 "http://$machine:8080/cgi-bin/who")"
note "the same by IPv6, $remote6: $(on_remote curl -sS --max-time 5 "http://[$machine6]:8080/cgi-bin/who")"

web some 127.0.0.1:8081:80 "$machine:8082:80" "[::1]:8083:80" 8084-8086:80-82 80 >/dev/null
answers "-p 127.0.0.1:8081:80" 127.0.0.1:8081
refused "not on the machine's address" "$machine:8081"
answers "-p ADDRESS:8082:80" "$machine:8082"
refused "not on the loopback" 127.0.0.1:8082
answers "-p [::1]:8083:80" "[::1]:8083"
refused "not on IPv4" 127.0.0.1:8083
answers "a range's first port" 127.0.0.1:8084
is "its other ports are held too" "$(listens 8085 && listens 8086 && echo held)" held
random=$(docker port some 80/tcp | sed -n 's/^0.0.0.0://p' | grep -v 808)
answers "a port that Docker chooses" "127.0.0.1:$random"
run web taken 127.0.0.1:8081:80
like "a port that another container has" "$err" "port is already allocated"
docker rm -f taken >/dev/null
python3 -m http.server --bind 127.0.0.1 9000 >/dev/null 2>&1 &
at_end kill $!
wait_for 10 listens 9000
run web taken 127.0.0.1:9000:80
like "a port that the machine uses" "$err" "address already in use"
docker rm -f taken >/dev/null
answers "and no other is lost by that" 127.0.0.1:8081

docker restart some >/dev/null
answers "after a restart: 127.0.0.1:8081" 127.0.0.1:8081
answers "after a restart: the range" 127.0.0.1:8084
docker stop some >/dev/null
ok "stop frees the ports" wait_for 10 listens_not 8081
ok "of the range too" wait_for 10 listens_not 8086
docker start some >/dev/null
answers "start takes them again" 127.0.0.1:8081
docker rm -f some >/dev/null
ok "rm frees them" wait_for 10 listens_not 8081
is "the API's list agrees" "$(ports)" "$(docker port all | wc -l)"

# shellcheck disable=SC2016
echo_back() { # PORTS: a container that answers a datagram, and tells who asked
    docker run -d --name echo -v /:/machine:ro -p "$1" image chroot /machine \
        socat UDP4-RECVFROM:53,fork SYSTEM:'read x; [ "$x" = who ] && echo $SOCAT_PEERADDR || echo "$x back"' >/dev/null
}
who_udp() { echo who | on_remote socat -t2 - "UDP4:$machine:$1" 2>/dev/null; }
answered_udp() { who_udp "$1" | grep -q .; }
echo_back 127.0.0.1:5300:53/udp
udp() { [ "$(echo "$1" | socat -t2 - "UDP4:$2" 2>/dev/null)" = "$1 back" ]; }
ok "-p 127.0.0.1:5300:53/udp" wait_for 20 udp hello 127.0.0.1:5300
ok "again" udp more 127.0.0.1:5300
docker rm -f echo >/dev/null
ok "rm frees a UDP port" wait_for 20 sh -c '! ss -lunH "sport = :5300" | grep -q .'
echo_back 5301:53/udp
ok "UDP for a remote client, again and again" wait_for 20 answered_udp 5301
for _ in 1 2 3; do who_udp 5301; done >"$work/who"
is "each is answered" "$(wc -l <"$work/who")" 3
note "which is seen as $(sort -u "$work/who" | xargs)"
docker rm -f echo >/dev/null

# What a container reaches.
inside() { docker run --rm "$@" 2>&1; }
is "10.0.2.2 is the machine's loopback" "$(inside image wget -qO- http://10.0.2.2:8000/)" machine
is "out to a remote server" "$(inside image wget -qO- "http://$remote:8000/")" remote
is "by a name" "$(inside image wget -qO- http://remote.example:8000/)" remote
docker network create net >/dev/null
docker run -d --stop-signal KILL --name web --network net image httpd -f -h /www >/dev/null
is "a neighbour on a network of the user's" "$(inside --network net image wget -qO- http://web/)" page
is "and from there out, by a name" "$(inside --network net image wget -qO- http://remote.example:8000/)" remote
docker rm -f web >/dev/null

begin=$SECONDS
for i in $(seq 50); do web "n$i" "$((7000 + i)):80" & done >/dev/null
wait_for 120 sh -c "[ \"\$(pgrep -cf 'docker run .*--name n[0-9]')\" = 0 ]"
note "50 began in $((SECONDS - begin)) s"
is "50 containers at once all answer" \
    "$(for i in $(seq 50); do get "127.0.0.1:$((7000 + i))"; done | sort | uniq -c | xargs)" "50 page"
# shellcheck disable=SC2046
docker rm -f $(seq -f n%g 50) >/dev/null
note "and were gone after $((SECONDS - begin)) s"
is "removed at once, no port is left" "$(ss -ltnH 'sport >= :7001 and sport <= :7050' | wc -l)" 0

web always 8090:80 >/dev/null
docker update --restart always always >/dev/null
ok "SIGTERM ends it" stop_docker
is "no port is left" "$(ss -ltnH 'sport >= :8080 and sport <= :8090')" ""
use_driver slirp4netns
ok "slirp4netns: dockerd answers" start_docker
answers "slirp4netns: a container that always restarts has its port" 127.0.0.1:8090
answers "slirp4netns: on IPv6" "[::1]:8090"
is "slirp4netns: for a remote client" "$(on_remote curl -sS --max-time 5 "http://$machine:8090/")" page
note "slirp4netns: it is seen as $(on_remote curl -sS --max-time 5 "http://$machine:8090/cgi-bin/who")"
is "slirp4netns: 10.0.2.2" "$(inside image wget -qO- http://10.0.2.2:8000/)" machine
is "slirp4netns: out, by a name" "$(inside image wget -qO- http://remote.example:8000/)" remote
stop_docker

use_driver gateway
# Docker as old as this one leaves its ports unpublished then: what newer ones ask the API for.
ok "without Docker's proxy: dockerd answers" start_docker --userland-proxy=false
web direct 8091:80 >/dev/null
echo_back 5302:53/udp
as_user rootlessctl --socket "$runtime/kit/api.sock" add-ports "$machine:8091:8091/tcp" "$machine:5302:5302/udp" >/dev/null
ok "without Docker's proxy: the page" wait_for 20 sh -c "curl -sS --max-time 5 http://$machine:8091/ | grep -q page"
is "a container sees a remote client" \
    "$(on_remote curl -sS --max-time 5 "http://$machine:8091/cgi-bin/who" | sed 's/.*f:\([0-9.]*\).*/\1/')" "$remote"
wait_for 20 answered_udp 5302 || true
is "by UDP too" "$(who_udp 5302)" "$remote"
stop_docker
done_testing
