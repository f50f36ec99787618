#!/bin/bash
# The variables of the start scripts that launch takes the place of: each has its effect.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

use_programs
use_network
serve_pages
make_user env
state=$runtime/dockerd-rootless

# In the daemon's place: what it finds.
# shellcheck disable=SC2016 # for the script inside
daemon() { # NAME
    cat >"$bin/$1" <<'END'
#!/bin/bash
[ "$1" != --version ] || { echo "Docker version ${VERSION:-28.5.2}, build 1a2b3c4"; exit; }
echo "args: $*"
echo "umask: $(umask)"
echo "state: $ROOTLESSKIT_STATE_DIR"
echo "mtu: $(cat /sys/class/net/tap0/mtu 2>/dev/null)"
echo "detached: $(test -e "$ROOTLESSKIT_STATE_DIR/netns" && echo yes || echo no)"
rootlessctl info | sed -n 's/.*\(Network\|Port\) Driver/\1/p'
rootlessctl list-ports --json
echo "ipv6: $(ip -6 route show default 2>/dev/null | wc -l)"
echo "loopback: $(curl -s --max-time 5 http://10.0.2.2:8000/)"
[ ! -e "$ROOTLESSKIT_STATE_DIR/netns" ] || enter=(nsenter "--net=$ROOTLESSKIT_STATE_DIR/netns")
echo "forwarding: $("${enter[@]}" cat /proc/sys/net/ipv4/ip_forward)"
echo "label: $(getfattr --only-values -n security.selinux /run 2>/dev/null | tr -d '\0')"
echo "helper: $(pgrep -a -x slirp4netns)"
END
    chmod 755 "$bin/$1"
}
daemon dockerd
daemon other
# of VARIABLE=VALUE...: what the daemon says
of() {
    env_user=("$@")
    run launch docker -- --flag 'a b'
    env_user=()
    [ "$rc" -eq 0 ] || note "$err"
}
DOCKER=DOCKERD_ROOTLESS_ROOTLESSKIT

of
like "without any: the gateway" "$out" "Network: gateway"
like "the builtin port driver" "$out" "Port: builtin"
like "the usual state directory" "$out" "state: $state"$'\n'
like "arguments are passed on as they are" "$out" "args: --flag a b"
like "the machine's loopback is out of reach" "$out" "loopback: "$'\n'
like "not detached: this dockerd is no Docker 29.5" "$out" "detached: no"
like "IP packets are forwarded" "$out" "forwarding: 1"
like "the umask is the caller's" "$(umask 027 && launch docker)" "umask: 0027"
is "without a word" "$err" ""
of "${DOCKER}_STATE_DIR=$home/state"
like "STATE_DIR" "$out" "state: $home/state"
of "${DOCKER}_NET=slirp4netns"
like "NET" "$out" "Network: slirp4netns"
like "slirp4netns is confined" "$out" "helper: .*--enable-sandbox.*--enable-seccomp"
of "${DOCKER}_NET=slirp4netns" "${DOCKER}_SLIRP4NETNS_SANDBOX=false"
unlike "SLIRP4NETNS_SANDBOX" "$out" "--enable-sandbox"
of "${DOCKER}_NET=slirp4netns" "${DOCKER}_SLIRP4NETNS_SECCOMP=false"
unlike "SLIRP4NETNS_SECCOMP" "$out" "--enable-seccomp"
of "${DOCKER}_MTU=1400"
like "MTU" "$out" "mtu: 1400"
of "${DOCKER}_PORT_DRIVER=none"
unlike "PORT_DRIVER" "$out" "Port: builtin"
of "${DOCKER}_DISABLE_HOST_LOOPBACK=false"
like "DISABLE_HOST_LOOPBACK" "$out" "loopback: machine"
for yes in true 1; do
    of "${DOCKER}_DETACH_NETNS=$yes"
    like "DETACH_NETNS=$yes" "$out" "detached: yes"
done
of VERSION=29.5.0
like "DETACH_NETNS: by default for Docker 29.5" "$out" "detached: yes"
like "IP packets are forwarded in the detached network" "$out" "forwarding: 1"
for no in false 0 auto; do
    of "${DOCKER}_DETACH_NETNS=$no"
    like "DETACH_NETNS=$no" "$out" "detached: no"
done
of VERSION=29.5.0 "${DOCKER}_DETACH_NETNS=false"
like "DETACH_NETNS=false with Docker 29.5" "$out" "detached: no"
of "${DOCKER}_IPV6=false"
like "IPV6=false" "$out" "ipv6: 0"
of "${DOCKER}_IPV6=true"
like "IPV6=true" "$out" "ipv6: 1"
port=$(free_port)
of "${DOCKER}_FLAGS=-p 127.0.0.1:$port:80/tcp --mtu=1300"
like "FLAGS: several words" "$out" "\"parentPort\":$port"
like "FLAGS count behind the others" "$out" "mtu: 1300"
of DOCKERD="other --first"
like "DOCKERD" "$out" "args: --first --flag a b"
of ROOTLESSKIT="rootlesskit --mtu=1200"
like "ROOTLESSKIT" "$out" "mtu: 1200"
of "${DOCKER}_NET=" "${DOCKER}_MTU=" "${DOCKER}_DETACH_NETNS="
like "an empty one is none" "$out" "Network: gateway"
of _DOCKERD_ROOTLESS_SELINUX=1
like "with SELinux, /run has the label that iptables needs" "$out" "label: system_u:object_r:iptables_var_run_t:s0"

# Options go before variables, FLAGS included.
env_user=("${DOCKER}_MTU=1400" "${DOCKER}_FLAGS=--mtu=1300" "${DOCKER}_NET=slirp4netns")
run launch --mtu 1250 docker --net gateway
like "an option counts more than a variable" "$out" "mtu: 1250"
like "and may stand behind the engine" "$out" "Network: gateway"
run launch -o "--publish=127.0.0.1:$port:80/tcp" -o --debug docker
[ "$rc" -eq 0 ] || note "$err"
like "-o" "$out" "\"parentPort\":$port"

# Values that mean nothing are errors, in one line that names the variable.
wrong() { # VARIABLE VALUE SAYS [ENGINE]
    env_user=("$1=$2")
    run launch "${4:-docker}"
    env_user=()
    is "$1=$2: a usage error" "$rc" 2
    like "that says so" "$err" "^rootless-setup: $1[^"$'\n'"]*$3[^"$'\n'"]*$"
}
wrong ${DOCKER}_NET slirp 'unknown value "slirp", it must be one of: auto, gateway, pasta'
wrong ${DOCKER}_NET vpnkit "no longer maintained"
wrong ${DOCKER}_NET gvisor-tap-vsock "gateway is faster"
wrong ${DOCKER}_NET host "may not in the host's"
wrong ${DOCKER}_MTU big '"big"'
wrong ${DOCKER}_MTU 70000 65521
wrong ${DOCKER}_PORT_DRIVER built-in "it must be one of: builtin"
wrong ${DOCKER}_SLIRP4NETNS_SANDBOX on "auto, true, false"
wrong ${DOCKER}_SLIRP4NETNS_SECCOMP on "auto, true, false"
wrong ${DOCKER}_DISABLE_HOST_LOOPBACK 0 "true, false"
wrong ${DOCKER}_DETACH_NETNS yes "auto, true, false, 1, 0"
wrong ${DOCKER}_IPV6 yes "true, false"
wrong CONTAINERD_ROOTLESS_ROOTLESSKIT_NET bridge "unknown value" containerd
wrong BUILDKITD_ROOTLESS_ROOTLESSKIT_MTU x '"x"' buildkit
of "${DOCKER}_ALLOW_HOST_LOOPBACK=true"
is "a variable that no script reads does not stop it" "$rc" 0
like "but is told" "$err" "warning: the variable ${DOCKER}_ALLOW_HOST_LOOPBACK has no meaning"

# The other engines have the same ones.
daemon containerd
daemon buildkitd
env_user=(CONTAINERD_ROOTLESS_ROOTLESSKIT_MTU=1400)
run launch containerd
like "containerd: its variables" "$out" "mtu: "
like "containerd: detached, for no old nerdctl is there" "$out" "detached: yes"
printf '#!/bin/sh\necho nerdctl version 1.7.7\n' >"$bin/nerdctl"
chmod 755 "$bin/nerdctl"
run launch nerdctl
like "containerd: nerdctl 1.7 cannot do that" "$out" "detached: no"
printf '#!/bin/sh\necho nerdctl version 2.0.0\n' >"$bin/nerdctl"
run launch containerd
like "containerd: nerdctl 2.0 can" "$out" "detached: yes"
env_user=(CONTAINERD_ROOTLESS_ROOTLESSKIT_NET=host)
run launch containerd
is "containerd: the host's network" "$rc" 0
unlike "containerd: has no port driver" "$out" "Port:"
env_user=(BUILDKITD="buildkitd --one" "BUILDKITD_FLAGS=--two --three" BUILDKITD_ROOTLESS_ROOTLESSKIT_MTU=1400)
run launch buildkit -- --four
like "buildkit: BUILDKITD, BUILDKITD_FLAGS" "$out" "args: --one --oci-worker=true --containerd-worker=false --two --three --four"
like "buildkit: its variables" "$out" "mtu: 1400"
env_user=()

# What would be done.
run launch --dry-run docker -- --label "it's"
is "--dry-run" "$rc" 0
is "prints one line" "$(wc -l <<<"$out")" 1
like "for a shell" "$out" "^(env PATH=[^ ]* )?$bin/rootlesskit --state-dir=$state --net=auto .* dockerd --label 'it'\\\\''s'$"
rm -f "$work/ran"
printf '#!/bin/sh\necho "$*" >%s/ran\n' "$home" >"$bin/dockerd"
ok "which does it" as_user sh -c "$out"
is "with the same arguments" "$(cat "$home/ran")" "--label it's"
done_testing
