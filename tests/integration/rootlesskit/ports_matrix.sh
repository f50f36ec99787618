#!/bin/bash
# Every network with every port driver, the command inside it and with --detach-netns. lxc-user-nic's part is in
# drivers-lxc.sh. PASTA=PATH PESTO=PATH try other ones; pesto needs passt 2026_05_07 or newer.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user matrix
pasta=${PASTA:-pasta} pesto=${PESTO:-pesto}
# pasta takes the host's addresses and routes for the child's.
ip link add uplink0 type veth peer name uplink1
ip addr add 198.18.3.1/24 dev uplink0
ip link set uplink0 up
ip link set uplink1 up
ip route add default via 198.18.3.2

begin() { # NETWORK DRIVER MODE: starts the services in the child's network
    # shellcheck disable=SC2016 # for the shell inside
    local enter=${3:+'nsenter -n"$ROOTLESSKIT_STATE_DIR/netns"'} options=()
    local tcp=81 udp=82
    # The host's ports are the same then, and are none of root's.
    [ "$2" != implicit ] || tcp=8181 udp=8182
    [ "$1" != pasta ] || options=("--pasta-binary=$pasta" "--pesto-binary=$pesto")
    start_kit --net="$1" --port-driver="$2" "${options[@]}" ${3:+"$3"} \
        sh -c "$enter python3 $work/tcp.py hello 0.0.0.0 $tcp & $enter python3 $work/udp.py echo 0.0.0.0 $udp & wait"
}
network_works() { # NETWORK
    case $1 in
    pasta) command -v "$pasta" >/dev/null ;;
    slirp4netns) command -v slirp4netns >/dev/null ;;
    esac
}
driver_works() { # DRIVER
    [ "$1" != pesto ] || command -v "$pesto" >/dev/null
}
drivers_of() { # NETWORK
    case $1 in
    slirp4netns) echo builtin slirp4netns ;;
    pasta) echo builtin pesto implicit ;;
    host) ;;
    *) echo builtin ;;
    esac
}
goes_with() { # NETWORK DRIVER
    [[ " $(drivers_of "$1" | xargs) " = *" $2 "* ]]
}
# It publishes what the child listens on, unasked.
check_implicit() { # NAME
    ok "$1: TCP" wait_for 20 port_answers 8181
    if port_answers_udp 8182 || port_answers_udp 8182; then
        pass "$1: UDP"
    else
        skip "$1: UDP" "this pasta looks for UDP ports when it starts, and no more"
    fi
    unlike "$1: info" "$(ctl info)" "Port Driver"
    run ctl add-ports 127.0.0.1:8183:81/tcp
    like "$1: the API has no ports" "$rc $err" "^1 .*no PortDriver is available"
}

for net in gateway none slirp4netns pasta; do
    for driver in $(drivers_of $net); do
        for mode in "" --detach-netns; do
            name="$net, $driver${mode:+, detached}" ip=10.0.2.100
            [ $net != none ] || ip=
            if ! network_works $net || ! driver_works "$driver"; then
                skip "$name" "$net or $driver is not installed"
                continue
            fi
            begin $net "$driver" $mode
            if [ "$driver" = implicit ]; then check_implicit "$name"; else check_ports "$name" "$driver" $ip; fi
            stop_kit
            ok "$name: nothing is left" wait_for 5 family_gone
        done
    done
done

# What does not go together is refused in one line, before anything is made.
for net in host gateway none slirp4netns pasta lxc-user-nic; do
    for driver in builtin slirp4netns implicit pesto; do
        if goes_with $net $driver; then continue; fi
        run as_user rootlesskit --net=$net --port-driver=$driver true
        like "$driver with $net: refused" "$rc $err" \
            "^1 [^"$'\n'"]*--port-driver=$driver needs (--net=(pasta|slirp4netns), not --net=$net|a network of its own[^"$'\n'"]*)$"
    done
done
is "which leaves nothing" "$(state_dirs)" ""
done_testing
