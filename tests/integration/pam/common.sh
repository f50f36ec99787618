# shellcheck shell=bash
# What the tests of pam_rootless.so share; sourced first, it sources lib.sh.
#
# The test has a /run and a /dev/log of its own and writes into its private /etc/pam.d.
#
#   module               the built module
#   service OPTION...    writes the PAM service "rltest": our module alone, with these options
#   host USER WORD...    the application of host.c, in that service
#   start_host USER WORD...   the same in the background: its words are done, "hold" waits for
#                        let_go. Sets host_pid
#   let_go               ends the hold of the last start_host, and waits for its end
#   logged               what the module has logged since forget_log
#   sessions             how many are written down for $uid
#   clean NAME           a result: nothing of the user's is left in /run
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2034 # for the tests
module=$BUILD_ROOT/pam/pam_rootless.so
host_program=$BUILD_ROOT/tests/integration/pam/host
[ -e "$module" ] || skip_all "pam_rootless.so is not built"

private_run() {
    mount -t tmpfs -o mode=755,size=16m rltest-run /run
}

# syslog(3) has one address, so /dev is one of ours: the machine's nodes, and a socket.
private_log() {
    local node
    mkdir "$work/devices"
    mount -t tmpfs -o mode=755,size=1m rltest-dev "$work/devices"
    mkdir "$work/devices"/{net,pts,shm}
    for node in null zero full random urandom tty net/tun fuse; do
        [ ! -e "/dev/$node" ] || cp -a "/dev/$node" "$work/devices/$node"
    done
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 rltest-pts "$work/devices/pts"
    mount -t tmpfs -o mode=1777,size=16m rltest-shm "$work/devices/shm"
    ln -s pts/ptmx "$work/devices/ptmx"
    ln -s /proc/self/fd "$work/devices/fd"
    mount --rbind "$work/devices" /dev
    : >"$work/syslog"
    python3 - /dev/log "$work/syslog" 3>"$work/.log-ready" <<'END' &
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
os.write(3, b"ready\n")
with open(sys.argv[2], "ab", buffering=0) as out:
    while True:
        out.write(listener.recv(65536).rstrip(b"\n\0").replace(b"\n", b"\\n") + b"\n")
END
    wait_for 10 test -s "$work/.log-ready"
}

service() {
    printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' \
        "session required $module $*" >/etc/pam.d/rltest
}

host() {
    "$host_program" rltest "$@" </dev/null
}

start_host() {
    rm -f "$work/.hold"
    mkfifo "$work/.hold"
    "$host_program" rltest "$@" say=held hold close <"$work/.hold" >"$work/.held" 2>&1 &
    host_pid=$!
    exec 7>"$work/.hold"
    wait_for 20 grep -qx held "$work/.held"
}

let_go() {
    exec 7>&-
    wait "$host_pid" || true
}

# What was sent before this is read: the socket keeps the order.
logged() {
    local mark=mark-$RANDOM$RANDOM
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("/dev/log"); s.send(sys.argv[1].encode())' "$mark"
    wait_for 10 grep -qx "$mark" "$work/syslog"
    grep pam_rootless "$work/syslog" || true
}

forget_log() {
    : >"$work/syslog"
}

sessions() {
    grep -c '^session ' "/run/rootless-toolkit/pam/$uid" 2>/dev/null || true
}

clean() {
    local left
    left=$(find /run/user /run/rootless-toolkit -mindepth 1 -name "*$uid*" 2>/dev/null)
    is "$1" "$left" ""
}

private_run
private_log
