# shellcheck shell=bash
# Sourced by the tests of uidmapd: the users and targets of the newuidmap tests, a /run of our own,
# and the client under both names. Arguments: newuidmap, newgidmap, uidmapd, the client, the folder in
# which it and rootless-nss are looked for, and a rootless-nss that hangs.

# shellcheck source=../newuidmap/common.sh
. "$(dirname "$0")/../newuidmap/common.sh"

# shellcheck disable=SC2034 # the sourcing tests use them
libexec=$5 hang=$6
mount -t tmpfs -o mode=755 tmpfs /run
uidmapd=$bin/uidmapd client=$bin/client
install -m 755 "$3" "$uidmapd"
install -m 755 "$4" "$client"
install -m 644 "$SOURCE_ROOT/tests/integration/uidmapd/peer.py" "$work/peer.py"
mkdir "$work/client"
asking_uidmap=$work/client/newuidmap asking_gidmap=$work/client/newgidmap
ln -s "$client" "$asking_uidmap"
ln -s "$client" "$asking_gidmap"
echo "rltest-alice:100000:65536" | tee /etc/subuid >/etc/subgid
echo "rltest-bob:300000:65536" | tee -a /etc/subuid >>/etc/subgid

start_broker() { # COMMAND...: $broker is it, listening; what it says is in $work/broker.log
    "$@" >"$work/broker.log" 2>&1 &
    broker=$!
    wait_for 20 is_listening || note "no broker: $(cat "$work/broker.log")"
}

is_listening() {
    [ "$(ss -lxH src /run/uidmapd/sock | wc -l)" -eq 1 ]
}

stop_broker() { # SIGNAL: $rc is its exit status
    kill -"$1" "$broker"
    rc=0
    wait "$broker" 2>/dev/null || rc=$?
}

peer() { # UID WORDS...: the hostile peer
    local user=$1
    shift
    as "$user" /usr/bin/python3 "$work/peer.py" "$@"
}

lay_over() { # DIR: an empty folder at that place, for this mount namespace only
    local at=$1
    while [ ! -d "$at" ]; do
        at=$(dirname "$at")
    done
    case $at in
    / | /usr) return 1 ;;
    esac
    mount -t tmpfs -o mode=755 tmpfs "$at" && mkdir -p "$1"
}

has_no_children() {
    [ -z "$(cat "/proc/$broker/task/$broker/children")" ]
}
