#!/bin/bash
# One engine's demands: its programs, its configuration, its units, where its command goes, what it
# left behind.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ranges "rltest-alice:3000000:65536"
home=$work/home-alice
[ ! -c /dev/net/tun ] || chmod 666 /dev/net/tun

ids() { # the checks of the last run
    "$python" -IS -c 'import json, sys; print(*(c["id"] for c in json.load(sys.stdin)["checks"]))' <<<"$out"
}
check --engine docker
docker=" $(ids) "
check --engine podman
podman=" $(ids) "
like "docker: what it needs" "$docker" " context .* net.iptables net.tproxy "
unlike "docker: and not what podman does" "$docker" " podman | net.pasta | net.vxlan "
like "podman: what it needs" "$podman" " podman .* net.pasta "
unlike "podman: and not what docker does" "$podman" " context | rootful | net.iptables | net.tproxy "
for engine in docker containerd buildkit podman k3s; do
    check --engine $engine subid
    like "--json names the engine: $engine" "$out" "\"engine\": \"$engine\""
done
run as_alice "$setup" check --engine docker subid
like "the verdict names it" "$out" "rltest-alice is ready for rootless docker"
run as_alice "$setup" check --engine lxc
like "an engine that nobody knows" "$rc:$out:$err" "^2::.*--engine.*docker"

# Programs. Those of the system are out of sight, but for what a check itself needs.
mkdir "$work/some"
without() { # ARGS...: in a system without engines
    # shellcheck disable=SC2016
    run unshare -m sh -c 'for d in /usr/sbin /sbin /usr/local/sbin /usr/lib/cni /opt/cni; do [ ! -d $d ] || mount -t tmpfs tmpfs $d; done; exec "$@"' sh \
        "$(command -v env)" -i PATH="$work/some" HOME="$home" XDG_RUNTIME_DIR="$runtime" "$setpriv" \
        --reuid $alice --regid $alice --clear-groups "$setup" check --json "$@"
}
has() { # PROGRAM...
    for program in "$@"; do ln -s "$(type -P true)" "$work/some/$program"; done
}
without engine
expect "no engine" 0 engine ok "no engine is installed yet"
without --engine docker engine
expect "not the one that is asked for" 1 engine failed "docker is not installed" "install for docker: dockerd"
has dockerd containerd rootlesskit
without engine
expect "an engine that is not whole" 0 engine warning "needs what is not in \$PATH: runc" ""
without --engine docker engine
expect "... is none, for who asks for it" 1 engine failed "needs what is not in \$PATH: runc"
has runc docker
without --engine k3s engine net.slirp4netns
expect "k3s that is not there" 1 engine failed "k3s is not installed"
expect "... knows one network only" 1 net.slirp4netns failed "looked for slirp4netns"
without --engine docker engine
expect "one that is whole" 0 engine ok "$work/some/dockerd"
has podman conmon netavark
rm -rf /etc/containers
without --engine podman engine
if [ -e /usr/share/containers/policy.json ]; then
    skip "podman without a policy" "this system has one in /usr/share"
else
    expect "podman without a policy" 1 engine failed "policy.json" "/etc/containers/policy.json"
    mkdir /etc/containers
    echo '{}' >/etc/containers/policy.json
    without --engine podman engine
    expect "podman with one" 0 engine ok "$work/some/podman"
fi

install -d -o $alice -g $alice "$home/.rancher" "$home/.rancher/k3s"
check --engine k3s data-dir
expect "k3s has its data below the home itself" 0 data-dir ok "in $home/.rancher/k3s"
rm -r "$home/.rancher"

check cgroup
if grep -q '"status": "warning"' <<<"$out"; then
    expect "no limits are a loss" 0 cgroup warning ""
    check --engine k3s cgroup
    expect "... with which k3s does not start" 1 cgroup failed "k3s does not start"
else
    skip "no limits" "this host has delegated cgroups"
fi

# The host's sysctls, of which a new network namespace gets some.
sysctls() { # IP_FORWARD RP_FILTER RP_FILTER_OF_NEW ARGS...: net.k3s of a host with these
    # shellcheck disable=SC2016
    run unshare -m sh -c 'mount -t tmpfs -o mode=755 tmpfs /proc/sys/net && mkdir -p /proc/sys/net/ipv4/conf/all /proc/sys/net/ipv4/conf/default &&
        cd /proc/sys/net/ipv4 && echo $1 >ip_forward && echo $2 >conf/all/rp_filter && echo $3 >conf/default/rp_filter && shift 3 && exec "$@"' sh "${@:1:3}" \
        env PATH="$path" "$setup" check --json --user rltest-alice "${@:4}" net.k3s
}
sysctls 1 0 2 --engine k3s
expect "a host for k3s" 0 net.k3s ok "this host forwards packets"
sysctls 0 0 2 --engine k3s
expect "k3s refuses a host that forwards nothing" 1 net.k3s failed "net.ipv4.ip_forward of this host is 0" "net.ipv4.ip_forward = 1"
like "... which fix does not change along with other things" "$out" '"fix": false'
sysctls 0 0 2
expect "... who does not have it is told nothing" 0 net.k3s ok "k3s is not installed"
ln -s "$(type -P true)" "$work/stub/k3s"
path=$work/stub:$path sysctls 0 0 2
expect "... who has it, gently" 0 net.k3s hint "net.ipv4.ip_forward of this host is 0"
rm "$work/stub/k3s"
sysctls 1 0 1 --engine k3s
expect "strict filters by route" 0 net.k3s warning "rp_filter = 1" "net.ipv4.conf.default.rp_filter = 2"
unlike "... and no more is changed than that" "$out" "conf.all.rp_filter"
sysctls 1 1 0 --engine k3s
expect "... of all interfaces" 0 net.k3s warning "rp_filter = 1" "net.ipv4.conf.all.rp_filter = 2"
sysctls 1 2 1 --engine k3s
expect "the looser of the two counts" 0 net.k3s ok ""
sysctls 0 1 1 --engine k3s
expect "both faults are told" 1 net.k3s failed "is dropped" "net.ipv4.conf.all.rp_filter = 2"
run unshare -n sh -c "echo 0 >/proc/sys/net/ipv4/ip_forward && exec env PATH='$path' '$setup' check --json --engine k3s --user rltest-alice net.k3s"
expect "the host's own, not that of a network inside" 1 net.k3s failed "net.ipv4.ip_forward of this host is 0"
run unshare -n sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward && exec env PATH='$path' '$setup' check --json --engine k3s --user rltest-alice net.k3s"
unlike "... which is 1 now" "$out" "ip_forward of this host"

# daemon.json and storage.conf.
install -d -o $alice -g $alice "$home/.config" "$home/.config/docker" "$home/.config/containers" "$work/elsewhere"
mount -t tmpfs -o noexec,mode=700,uid=$alice tmpfs "$work/elsewhere"
check data-dir overlay
expect "images in the home" 0 data-dir ok "in $home"
echo "{\"data-root\": \"$work/elsewhere/docker\"}" >"$home/.config/docker/daemon.json"
check --engine docker data-dir overlay
expect "docker's data-root is tried" 1 data-dir failed "running a program in $work/elsewhere"
expect "... with overlay too" 1 overlay ok "in $work/elsewhere"
check --engine podman data-dir
expect "... which is not podman's" 0 data-dir ok "in $home"
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/podman"\n' "$work/elsewhere" >"$home/.config/containers/storage.conf"
check --engine podman data-dir
expect "podman's graphroot is tried" 1 data-dir failed "running a program in $work/elsewhere"
for engine in containerd/config:containerd buildkit/buildkitd:buildkit; do
    name=${engine#*:} config=$home/.config/${engine%:*}.toml
    install -d -o $alice -g $alice "$home/.config/$name"
    printf 'version = 2\n[plugins.x]\n  root = "%s/other"\n' "$work/elsewhere" >"$config"
    check --engine "$name" data-dir
    expect "$name: a root of something else" 0 data-dir ok "in $home"
    sed -i "1i root = \"$work/elsewhere/$name\"" "$config"
    check --engine "$name" data-dir
    expect "$name: its root is tried" 1 data-dir failed "running a program in $work/elsewhere"
    rm "$config"
done
umount "$work/elsewhere"
printf '{\n  "data-root": \n' >"$home/.config/docker/daemon.json"
without --engine docker engine
expect "a daemon.json that is none" 1 engine failed "dockerd does not start with it"
without --engine docker net.iptables
expect "docker without iptables" 1 net.iptables failed "no iptables in"
echo '{"iptables": false}' >"$home/.config/docker/daemon.json"
without --engine docker net.iptables
expect "... which it was told to do without" 0 net.iptables hint "no iptables in"
without net.iptables
expect "... is a loss in general" 0 net.iptables warning "no iptables in"

# IPv6 alone.
stub() { # PROGRAM SHELL
    printf '#!/bin/sh\n%s\n' "$2" >"$work/stub/$1"
    chmod 755 "$work/stub/$1"
}
echo '{}' >"$home/.config/docker/daemon.json"
stub ip6tables 'echo no table nat; exit 3'
path=$work/stub:$path check --engine docker net.iptables
expect "docker without ip6tables: IPv4 goes on" 0 net.iptables warning "with ip6tables in a network namespace: no table nat" "rootless-ip6tables.conf"
echo '{"ip6tables": false}' >"$home/.config/docker/daemon.json"
path=$work/stub:$path check --engine docker net.iptables
expect "... which it was told to do without" 0 net.iptables hint "no table nat"
stub iptables 'echo no table nat; exit 3'
path=$work/stub:$path check --engine docker net.iptables
expect "... and without either it has no network" 1 net.iptables failed "with iptables in a network namespace"
rm "$work/stub/iptables" "$work/stub/ip6tables"
check --engine docker net.iptables net.nat
expect "Docker's rules, of both" 0 net.iptables ok "IPv4 and IPv6"
expect "NAT, of both" 0 net.nat ok "loaded masquerade rules"
rm -r "$home/.config/docker" "$home/.config/containers"

# Units.
units=$home/.config/systemd/user
mkdir -p "$units/docker.service.d"
unit() { # FILE LINE...
    printf '[Service]\n' >"$units/$1"
    printf '%s\n' "${@:2}" >>"$units/$1"
}
check units
expect "no units" 0 units ok "no unit of an engine"
unit docker.service 'Environment="PATH=/usr/bin:/mnt/c/Program Files"' "ExecStart=$(type -P true)"
check units
expect "a sound unit" 0 units ok "read 1 of engines'"
unit docker.service "Environment=PATH=/usr/bin:/mnt/c/Program Files/Git" "ExecStart=$(type -P true)"
check units
expect "a PATH that is cut" 0 units warning "docker.service:2: a value with a blank is not quoted" "daemon-reload"
check --engine podman units
expect "... is not podman's" 0 units ok ""
unit docker.service "ExecStart=$home/bin/dockerd-rootless.sh"
check units
expect "a program that was moved" 0 units warning "203/EXEC ($home/bin/dockerd-rootless.sh)"
unit docker.service "ExecStart=$(type -P true)" "Environment=PATH=/opt/50%zone/bin"
check units
expect "a specifier in PATH" 0 units warning "docker.service:3: a % in PATH"
unit docker.service "ExecStart=$(type -P true)"
unit docker.service.d/override.conf "Environment=DOCKERD_ROOTLESS_ROOTLESSKIT_NET=vpnkit" "NoNewPrivileges=yes"
check units
expect "a drop-in that asks for what is gone" 0 units warning "override.conf:2: it asks for a network whose program is not installed (vpnkit)"
expect "... and takes newuidmap its privilege" 0 units warning "override.conf:3: NoNewPrivileges"
rm -r "$home/.config/systemd"

# Where docker goes.
serve() { # USER SOCKET
    rm -f "$2"
    "$setpriv" --reuid "$1" --regid "$1" --clear-groups "$python" -IS -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
time.sleep(60)' "$2" &
    server=$!
    wait_for 10 test -S "$2"
}
stop() {
    kill "$server"
    wait "$server" || true
}
as_docker() { # VARIABLE=VALUE...: the check of the context with these
    run as_alice env "$@" "$setup" check --json context
}
as_docker X=
expect "no context" 0 context ok "no context is chosen"
as_docker "DOCKER_HOST=unix://$runtime/none.sock"
expect "DOCKER_HOST to nowhere" 0 context warning "DOCKER_HOST leads to $runtime/none.sock" "unset DOCKER_HOST"
as_docker "DOCKER_HOST=ssh://elsewhere"
expect "DOCKER_HOST to another machine" 0 context ok "ssh://elsewhere, which is not tried"
serve $alice "$runtime/docker.sock"
as_docker X=
expect "an engine that docker does not ask" 0 context hint "docker does not ask there" "export DOCKER_HOST=unix://$runtime/docker.sock"
as_docker "DOCKER_HOST=unix://$runtime/none.sock"
expect "... is what DOCKER_HOST should be" 0 context warning "nobody listens" "export DOCKER_HOST=unix://$runtime/docker.sock"
as_docker "DOCKER_HOST=unix://$runtime/docker.sock"
expect "DOCKER_HOST to an engine of hers" 0 context ok "an engine of rltest-alice's own"
mkdir -p "$home/.docker/contexts/meta/5f3e" "$home/.docker/contexts/meta/77aa"
echo '{"Name":"other","Endpoints":{"docker":{"Host":"tcp://x"}}}' >"$home/.docker/contexts/meta/77aa/meta.json"
echo '{"currentContext":"rootless"}' >"$home/.docker/config.json"
as_docker X=
expect "a context that is gone" 0 context warning "names the context rootless, which does not exist" "docker context use default"
echo "{\"Name\":\"rootless\",\"Endpoints\":{\"docker\":{\"Host\":\"unix://$runtime/docker.sock\"}}}" >"$home/.docker/contexts/meta/5f3e/meta.json"
as_docker X=
expect "a context of hers" 0 context ok "rootless leads to $runtime/docker.sock"
stop
as_docker X=
expect "a context whose engine is dead" 0 context warning "ECONNREFUSED"
as_docker DOCKER_CONTEXT=other
expect "DOCKER_CONTEXT goes before it" 0 context ok "DOCKER_CONTEXT leads to tcp://x"
serve 0 "$work/root.sock"
chmod 666 "$work/root.sock"
as_docker "DOCKER_HOST=unix://$work/root.sock"
expect "DOCKER_HOST to root's engine" 0 context warning "that is root's engine"
stop
rm -r "$home/.docker" "$runtime/docker.sock"

# Another engine that runs; what podman left.
install -d -o $alice "$runtime/containerd-rootless"
install -o $alice /dev/null "$runtime/containerd-rootless/lock"
exec 8<"$runtime/containerd-rootless/lock"
flock -n 8
check --engine docker state
expect "containerd runs, docker is wanted" 1 state failed "an engine that runs holds" "systemctl --user disable --now containerd"
check --engine containerd state
expect "containerd runs and is wanted" 0 state ok ""
exec 8<&-
rm -r "$runtime/containerd-rootless"

install -d -o $alice "$runtime/libpod" "$runtime/libpod/tmp"
check podman
expect "podman left nothing" 0 podman ok "nothing is left"
# shellcheck disable=SC2016
as_alice unshare --user --map-root-user sh -c 'echo $$ && exec sleep 60' >"$work/pause" &
job=$!
wait_for 10 test -s "$work/pause"
pause=$(cat "$work/pause")
echo "$pause" >"$runtime/libpod/tmp/pause.pid"
check podman
expect "a namespace from before the ranges" 0 podman warning "pause process $pause has 1 uids, the files give 65537" "podman system migrate"
ranges
check podman
expect "... which fits when there are none" 0 podman ok ""
ranges "rltest-alice:3000000:65536"
kill "$pause"
wait "$job" || true
check podman
expect "a pause process that ended" 0 podman ok ""
echo 01234567-89ab-cdef-0123-456789abcdef >"$runtime/libpod/tmp/alive"
check podman
expect "state of another boot" 0 podman warning "was written in another boot" "rm -r $runtime/libpod"
cp /proc/sys/kernel/random/boot_id "$runtime/libpod/tmp/alive"
check podman
expect "state of this boot" 0 podman ok ""
mount -t tmpfs tmpfs /tmp
mkdir "/tmp/storage-run-$alice"
check podman
expect "a runtime directory of somebody else's" 0 podman warning "is not rltest-alice's directory, but uid 0's" "rm -r /tmp/storage-run-$alice"

done_testing
