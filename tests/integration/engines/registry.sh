#!/bin/bash
# Docker's images over the gateway: pushed to a registry on another machine and pulled from it, by the
# daemon, by a build and by a container on Docker's own network.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

launcher=/usr/share/docker.io/contrib/dockerd-rootless.sh
[ -x "$launcher" ] || skip_all "no docker.io"
command -v docker-registry >/dev/null || skip_all "no docker-registry"
use_programs
use_network
use_resolver
make_user registry

registry=$remote:5000
mkdir "$work/registry"
cat >"$work/registry.yml" <<END
version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: $work/registry } }
http: { addr: ":5000" }
END
on_remote docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
at_end kill $!
wait_for 15 on_remote sh -c "ss -ltnH 'sport = :5000' | grep -q ." || note "$(cat "$work/registry.log")"

docker() { as_user /usr/bin/docker "$@"; }
env_user=("DOCKER_HOST=unix://$runtime/docker.sock" DOCKERD_ROOTLESS_ROOTLESSKIT_NET=gateway
    DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520 "DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS=--state-dir=$runtime/kit")
start_as_user "$launcher" "--insecure-registry=$registry" >"$work/docker.log" 2>&1
daemon=$pid
ok "dockerd answers" wait_for 30 docker version || true
[ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/docker.log")"

# An image of two layers, one of them 64 MiB that do not compress.
make_rootfs "$work/rootfs" page
ln -s busybox "$work/rootfs/bin/sha256sum"
tar -C "$work/rootfs" -c . | docker import - "$registry/base" >/dev/null
as_user mkdir "$home/build"
head -c 64M /dev/urandom >"$home/build/blob"
printf 'FROM %s/base\nCOPY blob /blob\n' "$registry" >"$home/build/Dockerfile"
sum=$(sha256sum <"$home/build/blob" | cut -d ' ' -f 1)
ok "build" docker build -q -t "$registry/large" "$home/build"
ok "push" docker push -q "$registry/large"
ok "push of what shares a layer" docker push -q "$registry/base"
docker rmi -f "$registry/large" "$registry/base" >/dev/null
is "nothing is left here" "$(docker images -q)" ""
ok "pull" docker pull -q "$registry/large"
is "the same bytes come back" "$(docker run --rm "$registry/large" sha256sum /blob)" "$sum  /blob"
ok "removed" docker rmi -f "$registry/large"
is "run pulls by itself" "$(docker run --rm "$registry/large" sha256sum /blob 2>/dev/null)" "$sum  /blob"
printf 'FROM %s/base\nRUN wget -qO /tags http://%s/v2/large/tags/list\n' "$registry" "$registry" >"$home/build/Dockerfile"
ok "a build that downloads" docker build -q -t tags "$home/build"
is "got it" "$(docker run --rm tags cat /tags)" '{"name":"large","tags":["latest"]}'
run docker pull "$registry/absent"
like "what is not there is said" "$err" "manifest unknown|not found"
run docker pull "$remote:5001/base"
like "and that nobody listens" "$err" "connection refused"

# A container is a host behind Docker's bridge, masqueraded in the child's network.
layer=$(on_remote curl -sS -H "Accept: application/vnd.docker.distribution.manifest.v2+json" \
    "http://$registry/v2/large/manifests/latest" | tr -d ' \n' | grep -o 'sha256:[0-9a-f]*' | tail -n 1)
docker network create other >/dev/null
for network in bridge other; do
    is "a container on the network $network downloads a layer" \
        "$(docker run --rm --network "$network" "$registry/base" wget -qO - "http://$registry/v2/large/blobs/$layer" |
            sha256sum | cut -d ' ' -f 1)" "${layer#sha256:}"
done
docker network create --internal inner >/dev/null
reach="busybox timeout 5 wget -qO - http://$registry/v2/ >/dev/null 2>&1; echo status \$?"
is "a container on the network other reaches it" "$(docker run --rm --network other "$registry/base" sh -c "$reach")" "status 0"
like "one on an internal network does not" "$(docker run --rm --network inner "$registry/base" sh -c "$reach")" \
    "^status [1-9]"
kill -TERM "$daemon"
wait "$daemon" || true
done_testing
