# shellcheck shell=bash
# What the tests of real engines share. Sourced first, in the place of lib.sh, which it sources. The
# test gets a network of its own that plays the machine's: a loopback and, after use_network, an address
# that a remote client reaches. A loaded machine's ports and addresses never matter.
# shellcheck disable=SC2154,SC2034 # lib.sh's variables
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

machine=198.51.100.1 machine6=fd51::1
remote=198.51.100.2 remote6=fd51::2

# The machine's network, and a remote one behind a cable. on_remote COMMAND... runs there.
use_network() {
    unshare --net sleep infinity &
    remote_pid=$!
    at_end kill "$remote_pid"
    wait_for 10 sh -c "[ \$(readlink /proc/$remote_pid/ns/net) != $(readlink /proc/self/ns/net) ]"
    ip link add cable0 type veth peer name cable0 netns "$remote_pid"
    cable "$machine" "$machine6"
    on_remote bash -c "$(declare -f cable); cable $remote $remote6"
}
cable() {
    ip addr add "$1/24" dev cable0
    ip addr add "$2/64" dev cable0 nodad
    ip link set lo up
    ip link set cable0 up
}
on_remote() { nsenter --net="/proc/$remote_pid/ns/net" "$@"; }

# A resolver of the machine's alone, on its loopback, that answers every name with the remote address.
use_resolver() {
    install -m 644 "$SOURCE_ROOT/tests/integration/rootlesskit/dns.py" "$work/"
    python3 "$work/dns.py" 127.0.0.1 "$remote" &
    at_end kill $!
    rm -f /etc/resolv.conf
    echo "nameserver 127.0.0.1" >/etc/resolv.conf
    wait_for 10 sh -c "ss -lunH 'sport = :53' | grep -q ."
}

# Two web servers that say where they are: http://127.0.0.1:8000/ "machine", http://$remote:8000/ "remote".
serve_pages() {
    local place enter=()
    for place in machine remote; do
        mkdir "$work/$place"
        echo $place >"$work/$place/index.html"
        [ $place != remote ] || enter=(nsenter --net="/proc/$remote_pid/ns/net")
        "${enter[@]}" python3 -m http.server --directory "$work/$place" 8000 >/dev/null 2>&1 &
        at_end kill $!
    done
    wait_for 30 gives 127.0.0.1:8000 machine
    wait_for 30 gives "$remote:8000" remote
}

# The file system of a container: busybox, a page that says PAGE, and one that says who asks.
# shellcheck disable=SC2016 # for the script inside
make_rootfs() { # DIRECTORY PAGE
    local tool
    mkdir -p "$1"/{bin,www/cgi-bin,proc,sys,dev,etc,run,tmp}
    cp /bin/busybox "$1/bin/"
    for tool in sh httpd id ls cat wget nslookup chroot sleep ip true; do ln -s busybox "$1/bin/$tool"; done
    echo "$2" >"$1/www/index.html"
    printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n%%s" "$REMOTE_ADDR"\n' >"$1/www/cgi-bin/who"
    chmod 755 "$1/www/cgi-bin/who"
}

# The same as an archive that every engine loads: one layer, a configuration, a manifest.
make_archive() { # DIRECTORY NAME FILE
    local parts=$work/.archive
    rm -rf "$parts"
    mkdir "$parts"
    tar -C "$1" -cf "$parts/layer.tar" .
    printf '{"architecture":"%s","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(dpkg --print-architecture)" "$(sha256sum <"$parts/layer.tar" | cut -d ' ' -f 1)" >"$parts/config.json"
    printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$2" >"$parts/manifest.json"
    tar -C "$parts" -cf "$3" manifest.json config.json layer.tar
}

get() { curl -sS --max-time 5 "http://$1/${2:-}" 2>&1; }
gives() { [ "$(get "$1")" = "$2" ]; }
refused() { # NAME ADDRESS:PORT
    local status=0
    curl -sS --max-time 5 "http://$2/" >/dev/null 2>&1 || status=$?
    is "$1" "$status" 7
}
listens() { ss -ltnH "sport = :$1" | grep -q .; }
listens_not() { ! listens "$1"; }
