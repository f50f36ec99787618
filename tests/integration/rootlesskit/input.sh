#!/bin/bash
# Bad input: one clear line, a non-zero status, nothing left behind.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_kit_user input

# refused NAME ERE WORD...: what the words of a command line lead to.
refused() {
    local name=$1 pattern=$2
    shift 2
    run as_user "$@"
    is "$name: status" "$rc" 1
    is "$name: one line" "$(printf '%s\n' "$err" | grep -c .)" 1
    like "$name: says what" "$err" "$pattern"
    is "$name: no process" "$(family)" ""
    is "$name: no file" "$(state_dirs)" ""
}
kit() { refused "$1" "$2" rootlesskit "${@:3}"; }

kit "no command" "no command specified"
kit "unknown option" "unknown option --nosuch" --nosuch true
kit "abbreviation" "unknown option --pid " --pid true
kit "missing value" "--state-dir needs a value" --state-dir
kit "unknown network" 'unknown value "vde".*host, none, gateway' --net=vde true
kit "bad flag value" "neither true nor false" --pidns=maybe true
kit "mtu too large" "65522 is out of range" --net=gateway --mtu=65522 true
kit "mtu no number" "whole number" --net=gateway --mtu=1k true
kit "cidr is an address" "10.0.3.0/24, not an address" --net=gateway --cidr=10.0.3.1/24 true
kit "cidr too small" "from 1 to 25" --net=gateway --cidr=10.0.3.0/30 true
kit "cidr without network" "cannot be used with --net=host" --cidr=10.0.3.0/24 true
kit "ifname with a slash" "no interface name" --net=gateway --ifname=a/b true
kit "ifname too long" "no interface name" --net=gateway --ifname=a23456789012345678 true
kit "unknown propagation" "rprivate" --propagation=odd true
kit "copy-up and shared" "cannot be used" --propagation=rshared --copy-up=/etc true
kit "copy-up relative" "absolute path" --copy-up=etc true
kit "copy-up of nothing" "/no/such.*No such file" --copy-up=/no/such true
kit "copy-up of a file" "not a directory" --copy-up=/etc/passwd true
kit "reaper without pidns" "needs --pidns" --reaper=true true
kit "ports without a driver" "add --port-driver=builtin" --net=none --publish=8080:80/tcp true
kit "ports of the host's network" "network of its own" --port-driver=builtin true
kit "bad port spec" "PARENTIP" --net=none --port-driver=builtin --publish=8080:80 true
kit "state dir of somebody else" "belongs to uid 0" --state-dir=/etc true
kit "state dir that cannot be made" "Permission denied" --state-dir=/root/x true
kit "state dir is a file" "state-dir" --state-dir=/etc/passwd true
kit "state dir too long" "too long" --state-dir="$home/tmp/$(printf 'x%.0s' $(seq 120))" true
rmdir "$home"/tmp/* 2>/dev/null || true

port=$(free_port)
as_user busybox httpd -f -p "127.0.0.1:$port" &
server=$!
wait_for 20 curl -s -o /dev/null "http://127.0.0.1:$port/"
run as_user rootlesskit --net=gateway --port-driver=builtin --publish="127.0.0.1:$port:80/tcp" true
is "busy port: status" "$rc" 1
like "busy port: named" "$err" "failed to expose port 127.0.0.1:$port:80/tcp.*$port.*in use"
kill "$(pgrep -u "$user" busybox)"
wait "$server" || true
wait_for 10 family_gone || true
is "busy port: no file" "$(state_dirs)" ""
if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 81 ]; then
    kit "privileged port" "ip_unprivileged_port_start" --net=none --port-driver=builtin --publish=81:80/tcp true
else
    skip "privileged port" "this host lets everybody bind port 81"
fi

# Missing pieces.
# A limit of zero, as an administrator sets it; here for the namespaces inside one of the user's own,
# where he is root.
for file in /etc/subuid /etc/subgid; do echo root:300000000:65536 >>$file; done
# shellcheck disable=SC2016 # for the shell inside
refused "user namespaces off" "max_user_namespaces is 0.*sysctl -w" \
    unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec rootlesskit true'
chmod 000 "$bin/newuidmap"
env_user+=("PATH=$bin:/nowhere")
refused "no newuidmap" "newuidmap is not in .PATH: install it" "$bin/rootlesskit" /bin/true
chmod 755 "$bin/newuidmap"
unset 'env_user[-1]'
setcap -r "$bin/newuidmap"
refused "newuidmap without its capability" "failed to setup UID/GID map: newuidmap" rootlesskit true
setcap cap_setuid+ep "$bin/newuidmap"
refused "no_new_privs" "no_new_privs is set" setpriv --no-new-privs rootlesskit true
kit "no slirp4netns" "no-slirp is not installed" --net=slirp4netns --disable-host-loopback --slirp4netns-binary=no-slirp true
if [ -e /dev/net/tun ]; then
    chmod 600 /dev/net/tun
    kit "tun closed" "/dev/net/tun; make it open to users with: sudo chmod 0666" --net=gateway --disable-host-loopback true
    chmod 666 /dev/net/tun
fi
make_kit_user poor none
refused "no sub-ids" "no subordinate uids for user $user .*sudo rootless-setup subid add $user" rootlesskit true
done_testing
