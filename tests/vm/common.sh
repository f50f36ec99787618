# shellcheck shell=bash
# What the guest's own tests share; on top of tests/integration/lib.sh, as root of the guest.
#
#   unload MODULE...     takes them out of the kernel, so that whoever needs them has to have them loaded
#   loaded MODULE...     prints, of these, the ones that are in it
#   make_outside         a network beyond the guest's interface here0, where others live:
#                        here0 has $here4 and $here6, they have $outside4 and $outside6
#   outside COMMAND...   runs it as one of them
#   outside_serves       until the end: on port 80 the client's address (who.py), on 53 a DNS server for
#                        which every name is 192.0.2.111
# shellcheck source=../integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"
# shellcheck source=../integration/rootlesskit/common.sh
. "$SOURCE_ROOT/tests/integration/rootlesskit/common.sh"
# shellcheck disable=SC2034 # for the tests
here4=198.18.9.1 here6=fd00:9::1 outside4=198.18.9.7 outside6=fd00:9::7

# Those of a network namespace that just went are in use for a moment.
unload() {
    wait_for 60 unloaded "$@" || note "$(lsmod)"
}

unloaded() {
    local modules
    mapfile -t modules < <(loaded "$@")
    [ ${#modules[@]} -eq 0 ] || modprobe -r "${modules[@]}"
}

loaded() {
    local module
    for module in "$@"; do
        ! grep -q "^$module " /proc/modules || echo "$module"
    done
}

make_outside() {
    unshare --net sleep infinity &
    outside=$!
    at_end kill "$outside"
    other_network() { [ "$(readlink "/proc/$outside/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
    wait_for 60 other_network
    ip link add here0 type veth peer name out0 netns "$outside"
    at_end ip link del here0
    ip addr add "$here4/24" dev here0
    ip addr add "$here6/64" dev here0 nodad
    ip link set here0 up
    outside ip addr add "$outside4/24" dev out0
    outside ip addr add "$outside6/64" dev out0 nodad
    outside ip link set lo up
    outside ip link set out0 up
}

outside() {
    nsenter -t "$outside" -n "$@"
}

outside_serves() {
    outside python3 "$SOURCE_ROOT/tests/vm/who.py" 80 "$outside4" "$outside6" >"$work/outside" &
    at_end kill $!
    outside python3 "$SOURCE_ROOT/tests/integration/rootlesskit/dns.py" "$outside4" 192.0.2.111 &
    at_end kill $!
    wait_for 90 grep -q ready "$work/outside"
    wait_for 90 dig +short +time=1 +tries=1 "@$outside4" a.example
}
